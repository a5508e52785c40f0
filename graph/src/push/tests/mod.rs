//! Every transition of an account's change notifications, in virtual time.
