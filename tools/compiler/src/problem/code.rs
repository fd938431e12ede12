//! The code of every rule: what users look up, and what tests ask for.

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $text:literal,)*) => {
        /// Which rule is broken. The first two digits are the rule's family.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($(#[doc = $doc])+ $name,)* }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// How users see it: `E0101`, or `N0101` where it is a note.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// Whether breaking it is no error, and only to be said.
            pub const fn is_note(self) -> bool {
                matches!(self.text().as_bytes(), [b'N', ..])
            }

            /// The rule, in words.
            pub const fn rule(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc),+),)* }
            }
        }
    };
}

codes! {
    /// A file is UTF-8 text.
    NotUtf8 = "E0001",
    /// A file is TOML 1.0.
    Syntax = "E0002",
    /// A value has the type that its key wants.
    WrongType = "E0003",
    /// A number lies in the range that its key allows.
    OutOfRange = "E0004",
    /// A size is an integer of bytes or a string such as "16MiB".
    InvalidSize = "E0005",
    /// A string is one of the words that its key allows.
    InvalidChoice = "E0006",
    /// A key that is needed is there.
    MissingKey = "E0007",
    /// Every key has a meaning.
    UnknownKey = "E0008",
    /// A name is 1 to 31 letters, digits, `-` and `_`.
    InvalidName = "E0009",
    /// A configuration has at least one partition.
    NoPartition = "E0010",
    /// Keys that exclude each other do not stand together.
    Exclusive = "E0011",

    /// The board has a folder in boards/.
    UnknownBoard = "E0101",
    /// The board has the variant.
    UnknownVariant = "E0102",
    /// A board with variants is used in one of them.
    MissingVariant = "E0103",
    /// A device is in the board's file.
    UnknownDevice = "E0104",
    /// A core is in the board's file.
    UnknownCore = "E0105",
    /// An image without a path is a crate of partitions/.
    UnknownPartition = "E0106",
    /// The log goes to a device that is one of the board's consoles.
    UnknownConsole = "E0107",
    /// The board's file can be read.
    BoardUnreadable = "E0108",

    /// A partition has memory.
    NoMemory = "E0201",
    /// A memory's size is not zero.
    SizeZero = "E0202",
    /// Sizes and addresses of memory are multiples of the partition's granule.
    NotGranuleMultiple = "E0203",
    /// What a partition sees lies within its intermediate address size.
    BeyondIpaSize = "E0204",
    /// Physical memory lies within the board's physical address size.
    BeyondPaSize = "E0205",
    /// No range wraps past 2^64.
    Wraps = "E0206",
    /// Nothing that a partition sees overlaps another thing that it sees.
    OverlapInPartition = "E0207",
    /// No two memories share physical memory.
    OverlapBetween = "E0208",
    /// No memory overlaps EL2's.
    OverlapEl2 = "E0209",
    /// No memory overlaps RAM that firmware keeps.
    OverlapCarveOut = "E0210",
    /// Nothing that a partition is given overlaps the interrupt controller.
    OverlapGic = "E0211",
    /// Memory lies in RAM.
    OutsideRam = "E0212",
    /// There is room for every memory.
    NoRoom = "E0213",
    /// A memory says where the partition sees it: `ipa`, or `identity = true`.
    NoIpa = "E0214",
    /// `identity = true` stands with an `ipa` or alone, and not with another `pa`.
    IdentityMismatch = "E0215",

    /// A device has one owner.
    DeviceOwnedTwice = "E0301",
    /// An interrupt has one owner.
    InterruptOwnedTwice = "E0302",
    /// Devices of different owners lie on different granule pages.
    SharedDevicePage = "E0303",
    /// No device that a partition owns lies on a granule page with a device that EL2 uses.
    SharedEl2Page = "E0304",
    /// A device that masters the bus goes to a partition with `dma = "trusted"`, whether the board has an SMMU or not.
    BusMaster = "E0305",
    /// At most one partition is trusted with bus masters.
    TwoTrusted = "E0306",
    /// No device is executable.
    DeviceExecutable = "E0307",
    /// A device's IPA has the same offset in its granule page as its physical address.
    DeviceOffset = "E0308",
    /// The UART that carries the log belongs to no partition.
    LogOwned = "E0309",
    /// No granule page of a device holds a bus master that its partition is not given.
    SharedBusMasterPage = "E0310",
    /// The GICv2 virtual CPU interface can be mapped alone with the partition's granule.
    GicGranule = "E0311",
    /// The emulated console lies at a multiple of 4 KiB within the partition's addresses.
    ConsoleAddress = "E0312",
    /// What a partition with a bus master sees lies where it sees it.
    BusMasterPlace = "E0313",

    /// A partition has at least one core, and 254 at most.
    CoreCount = "E0401",
    /// A core has one owner.
    CoreOwnedTwice = "E0402",
    /// There is a VMID for every partition.
    TooManyPartitions = "E0403",
    /// All cores of the board have the partition's granule.
    GranuleLacking = "E0404",
    /// EL2's image, tables, payloads and stacks fit.
    TableSpace = "E0405",

    /// The image's file exists.
    ImageMissing = "E0501",
    /// The image's file can be read or built; it is a regular file, not longer than the board's RAM or 4 GiB.
    ImageUnreadable = "E0502",
    /// The image is not empty.
    ImageEmpty = "E0503",
    /// An ELF image is 64-bit, little-endian, executable and for AArch64.
    ImageNotAArch64 = "E0504",
    /// The image's own headers make sense.
    ImageMalformed = "E0505",
    /// Every segment of the image lies in one memory of its partition.
    SegmentOutside = "E0506",
    /// A segment's memory allows what the segment needs.
    SegmentAccess = "E0507",
    /// The entry lies in the partition's memory.
    EntryOutside = "E0508",
    /// The entry lies in executable memory.
    EntryNotExecutable = "E0509",
    /// A raw image says where it starts.
    RawWithoutEntry = "E0510",
    /// `entry` and `load` stand only with images that do not carry their own.
    EntryNotAllowed = "E0511",
    /// There is room in the partition's memory for what the compiler puts there.
    NoRoomInMemory = "E0512",
    /// A device tree can describe the partition.
    NoDeviceTree = "E0513",
    /// A Linux guest's kernel is an arm64 Image.
    NotAKernel = "E0514",
    /// All cores of the board have the page size that the kernel is built for.
    KernelPages = "E0515",
    /// A device tree of the user's own can be read, and is at most 2 MiB long.
    TreeUnreadable = "E0516",
    /// A device tree names only addresses that its partition sees.
    TreeAddress = "E0517",
    /// A device tree names only interrupts that its partition has.
    TreeInterrupt = "E0518",
    /// A device tree names only cores that its partition has.
    TreeCore = "E0519",
    /// A device tree starts and idles cores as EL2 does: by PSCI 0.2 or later, with power states of the original format.
    TreeStart = "E0520",
    /// A device tree gives a kernel memory that it can use for anything, and says what it reserves so that it is read.
    TreeMemory = "E0521",
    /// A device tree's interrupt controller and timer are those that the partition sees.
    TreeController = "E0522",
    /// A device tree has one `/chosen`, and what that says is so.
    TreeChosen = "E0523",
    /// A command line has no NUL character, and for Linux at most 2047 bytes.
    CommandLine = "E0524",
    /// The entry is a multiple of 4.
    EntryOdd = "E0525",
    /// A Linux guest's initial RAM disk is one that Linux takes.
    NotAnInitrd = "E0526",

    /// The ranges of a board's file do not overlap each other.
    BoardOverlap = "E0601",
    /// A board loads the image at a multiple of 2 MiB in RAM, clear of EL2's own virtual addresses.
    BoardLoad = "E0602",
    /// A board has the frames that its interrupt controller's version has, where it has them.
    BoardGic = "E0603",
    /// A board's consoles and serial lines are devices of its own with a UART kind.
    BoardConsole = "E0604",
    /// A device's interrupts are SPIs that the board has.
    BoardInterrupt = "E0605",
    /// A board's cores are distinct, each can be started, and the interrupt controller has room for them.
    BoardCores = "E0606",
    /// A board's ranges lie within its physical address size.
    BoardRange = "E0607",
    /// EL2 can drive the registers of a board's consoles and of its power control.
    BoardRegisters = "E0608",
    /// A board's RAM is whole pages of 4 KiB, and EL2's address space has room for all of it.
    BoardRam = "E0609",
    /// A board's cores have 4 KiB pages, which EL2's own tables use.
    BoardGranules = "E0610",

    /// The board's file is Septum's own, not one beside the configuration.
    BoardBeside = "N0101",
    /// A bus master reaches all memory of its partition.
    MasterReach = "N0301",
    /// A partition's devices act on that partition alone.
    BoardReset = "N0302",
    /// What a device tree of the user's own reserves or speaks to is there.
    TreeRemark = "N0501",
    /// A UART that a Linux guest's `console=` names is there.
    Silent = "N0502",
}
