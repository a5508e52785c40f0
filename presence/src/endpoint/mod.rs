//! The life of one local endpoint: connect, probe, watch, recover, drain.

mod types;

pub use types::{EndpointDeadline, EndpointEffect, EndpointInput, EndpointPolicy, EndpointState, EndpointView};
