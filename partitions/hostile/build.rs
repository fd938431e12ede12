//! Links hostile as a partition.

fn main() -> std::io::Result<()> {
    septum_guest::build::link()
}
