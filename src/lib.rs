#![doc = "A network anomaly detector: see `docs/architecture.md`."]

pub mod app;
pub mod time;
pub mod wire;
