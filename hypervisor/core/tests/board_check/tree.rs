//! Flattened device trees, written by the specification's chapter 5 with no help from any reader.

/// A tree under construction.
#[derive(Default)]
pub struct Tree {
    structure: Vec<u8>,
    strings: Vec<u8>,
    reserved: Vec<u8>,
}

impl Tree {
    pub fn begin(mut self, name: &str) -> Self {
        self.word(1);
        self.structure.extend(name.bytes());
        self.structure.push(0);
        self.pad();
        self
    }

    pub fn end(mut self) -> Self {
        self.word(2);
        self
    }

    pub fn cells(mut self, name: &str, cells: &[u32]) -> Self {
        let at = self.strings.len() as u32;
        self.strings.extend(name.bytes());
        self.strings.push(0);
        for word in [3, cells.len() as u32 * 4, at].into_iter().chain(cells.iter().copied()) {
            self.word(word);
        }
        self
    }

    pub fn reserve(mut self, address: u64, size: u64) -> Self {
        self.reserved.extend([address, size].iter().flat_map(|word| word.to_be_bytes()));
        self
    }

    /// The tree as 8-byte words, so that it is aligned as firmware aligns it, and its length in bytes.
    pub fn finish(mut self) -> (Vec<u64>, usize) {
        self.word(9);
        self.reserved.extend([0; 16]);
        let structure_at = 40 + self.reserved.len();
        let strings_at = structure_at + self.structure.len();
        let total = strings_at + self.strings.len();
        let header = [0xd00d_feed, total, structure_at, strings_at, 40, 17, 16, 0, self.strings.len()];
        let mut bytes: Vec<u8> = header.iter().flat_map(|word| (*word as u32).to_be_bytes()).collect();
        bytes.extend((self.structure.len() as u32).to_be_bytes());
        for part in [&self.reserved, &self.structure, &self.strings] {
            bytes.extend(part);
        }
        bytes.resize(total.next_multiple_of(8), 0);
        (bytes.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().unwrap())).collect(), total)
    }

    fn word(&mut self, word: u32) {
        self.structure.extend(word.to_be_bytes());
    }

    fn pad(&mut self) {
        self.structure.resize(self.structure.len().next_multiple_of(4), 0);
    }
}
