//! Non-INVITE transactions (RFC 3261 section 17): one request, one answer, copies absorbed.

mod client;
mod server;

pub(crate) use client::{Answer, ClientTransaction, Due, MAGIC};
pub(crate) use server::AnsweredRequests;
