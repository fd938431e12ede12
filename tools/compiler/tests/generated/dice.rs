//! Choices made by a row of numbers, so that proptest can shrink them: 0 is always the plainest choice.

/// A row of numbers, and how far it has been used. Behind its end all choices are plain.
pub struct Dice<'a> {
    numbers: &'a [u32],
    next: usize,
    calm: u64,
}

impl<'a> Dice<'a> {
    pub fn new(numbers: &'a [u32]) -> Self {
        let mut dice = Self { numbers, next: 0, calm: 1 };
        dice.calm = dice.pick(&[40, 12, 3, 1]);
        dice
    }

    fn roll(&mut self) -> u64 {
        let number = self.numbers.get(self.next).copied().unwrap_or(0);
        self.next += 1;
        u64::from(number)
    }

    /// From 0 up to `end`, which it never is.
    pub fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }

    /// One of `all`.
    pub fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len() as u64) as usize]
    }

    /// True once in `count` times: for what is right either way.
    pub fn once_in(&mut self, count: u64) -> bool {
        self.below(count) == count - 1
    }

    /// True once in `count` times in the wildest rows, and less often in others: for what is likely to be wrong.
    pub fn oddly(&mut self, count: u64) -> bool {
        let count = count * self.calm;
        self.once_in(count)
    }

    /// `plain`, or oddly one of `odd`.
    pub fn mostly<T: Copy>(&mut self, plain: T, count: u64, odd: &[T]) -> T {
        if self.oddly(count) { self.pick(odd) } else { plain }
    }

    /// An address near something: just at `base`, or a few steps of some size from it.
    pub fn near(&mut self, base: u64) -> u64 {
        let step = self.pick(&[0, 0x1000, 0x1_0000, 0x20_0000, 0x4000_0000, 1, 4, 0x800]);
        let count = 1 + self.below(3);
        match self.once_in(2) {
            false => base.wrapping_add(step * count),
            true => base.wrapping_sub(step * count),
        }
    }
}
