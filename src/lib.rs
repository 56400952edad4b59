//! `auscult` listens to a network passively, learns what is normal for each device, and explains what is not.

pub mod app;
pub mod capture;
pub mod detect;
pub mod feature;
pub mod flow;
pub mod model;
pub mod time;
pub mod wire;
