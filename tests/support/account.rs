//! What tests are let in with.

#![allow(dead_code, unreachable_pub, reason = "every test binary uses its part of it")]

pub const API_KEY: &str = "api-key";
pub const API_TOKEN: &str = "api-token";
pub const WEBHOOK_KEY: &str = "hook-key-of-tests";
pub const ADMIN_TOKEN: &str = "admin-token-of-tests";
