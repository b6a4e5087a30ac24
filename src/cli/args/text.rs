//! `simulate text-model`.

use clap::Args;

/// `simulate text-model`.
#[derive(Args, Clone, Debug)]
pub struct TextModelArgs {
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    pub host: std::net::IpAddr,
    /// Port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 8091)]
    pub port: u16,
    /// How long it thinks, ms.
    #[arg(long, default_value_t = 200, value_name = "MS")]
    pub thinks_ms: u64,
    /// The only key that is let in [default: any, or none].
    #[arg(long, value_name = "KEY")]
    pub api_key: Option<String>,
    /// What goes wrong, one after the other, each for the first N requests that are left with =N: refuses, length, words, wrong, fenced, junk, page, huge,
    /// no-format, too-often, unauthorized, broken, drips.
    #[arg(long = "fault", value_name = "FAULT")]
    pub faults: Vec<String>,
}
