//! The emulation against the model: delivery under random events, ownership over every offset, both register maps.

mod delivery;
mod map;
mod ownership;
mod places;
mod random;
