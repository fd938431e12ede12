//! How everything that states reach says who reaches more than that: the owners of bus masters.

/// ", separated except through the bus masters of `lin`: emmc2" for partitions with their bus masters; "" where there are
/// none. It ends a sentence: that of `verify`, and the log's first record.
pub fn exception<'a>(partitions: impl Iterator<Item = (&'a str, Vec<&'a str>)>) -> String {
    let owners = partitions.filter(|(_, masters)| !masters.is_empty());
    let owners: Vec<_> =
        owners.map(|(name, masters)| format!("the bus masters of `{name}`: {}", masters.join(", "))).collect();
    if owners.is_empty() { String::new() } else { format!(", separated except through {}", owners.join("; ")) }
}
