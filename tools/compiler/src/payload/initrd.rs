//! What Linux takes as an initial RAM disk, and the names of what it does not.

use super::has;

/// What `bytes` are, if Linux would not take them as a RAM disk.
pub fn not_initrd(bytes: &[u8]) -> Option<&'static str> {
    if bytes.is_empty() {
        return Some("the file is empty");
    }
    // init/initramfs.c, unpack_to_rootfs: zero bytes before an archive are skipped.
    let archive = bytes.iter().position(|byte| *byte != 0).map_or(&[][..], |first| &bytes[first..]);
    if is_initramfs(archive) || is_file_system(bytes) {
        return None;
    }
    let names = [
        (0, &b"070707"[..], "a cpio archive of the old format: Linux reads those that `cpio -H newc` makes"),
        (0, b"!<arch>\ndebian-binary", "a Debian package (dpkg-deb -x takes out what is in it)"),
        (0, b"!<arch>\n", "a static library"),
        (0, b"\x7fELF", "an ELF: a RAM disk is an archive that holds programs"),
        (0, b"\xd0\x0d\xfe\xed", "a FIT image or a device tree (dumpimage -T flat_dt -p N takes part N out)"),
        (0, b"\x27\x05\x19\x56", "a U-Boot uImage (dumpimage takes the RAM disk out)"),
        (0, b"PK\x03\x04", "a zip archive: a RAM disk is a cpio archive"),
        (56, b"ARM\x64", "a kernel"),
        (257, b"ustar", "a tar archive: a RAM disk is a cpio archive"),
    ];
    let name = names.iter().find(|(offset, magic, _)| has(bytes, *offset, magic)).map(|(.., name)| *name);
    Some(name.unwrap_or("neither a cpio archive, compressed or not, nor a file system that Linux takes as a RAM disk"))
}

/// init/initramfs.c, do_header: newc with and without checksums. lib/decompress.c, compressed_formats: the rest.
fn is_initramfs(bytes: &[u8]) -> bool {
    let magics: [&[u8]; 10] = [
        b"070701",
        b"070702",
        b"\x1f\x8b",
        b"\x1f\x9e",
        b"BZ",
        b"\x5d\x00",
        b"\xfd7",
        b"\x89\x4c",
        b"\x02\x21",
        b"\x28\xb5",
    ];
    magics.iter().any(|magic| bytes.starts_with(magic))
}

/// init/do_mounts_rd.c, identify_ramdisk_image: what Linux mounts as a RAM disk of the old kind, by the superblock.
fn is_file_system(bytes: &[u8]) -> bool {
    let minix = [b"\x7f\x13", b"\x8f\x13", b"\x68\x24", b"\x78\x24"];
    let magics: [(usize, &[u8]); 5] =
        [(0, b"-rom1fs-"), (0, b"hsqs"), (0, b"\x45\x3d\xcd\x28"), (512, b"\x45\x3d\xcd\x28"), (0x438, b"\x53\xef")];
    magics.iter().any(|(offset, magic)| has(bytes, *offset, magic))
        || minix.iter().any(|magic| has(bytes, 0x410, *magic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_linux_takes_passes_and_what_it_does_not_is_named() {
        for good in
            [&b"070701"[..], b"\0\0\0\x00070702", b"\x1f\x8b\x08", b"BZh9", b"\xfd7zXZ\0", b"hsqs", b"\x28\xb5\x2f\xfd"]
        {
            assert_eq!(not_initrd(good), None, "{good:?}");
        }
        let ext2: Vec<u8> = [vec![0; 0x438], b"\x53\xef".to_vec()].concat();
        assert_eq!(not_initrd(&ext2), None);
        assert_eq!(not_initrd(b""), Some("the file is empty"));
        let named = |bytes: &[u8]| not_initrd(bytes).unwrap_or_default();
        assert!(named(b"!<arch>\ndebian-binary   ").contains("Debian package"));
        assert!(named(b"070707").contains("newc"));
        assert!(named(&[0; 4096]).contains("neither"));
    }
}
