//! The pages on webhooks and the API: every line of them is run as it stands.

use std::process::Command;

use callgate::testing::NewClient;

use super::support::{ADMIN_TOKEN, API_TOKEN, Gateway, WEBHOOK_KEY, tenant};

/// The shell lines of the page, each block with the status it says comes back.
fn blocks(page: &str) -> Vec<(String, String)> {
    let code = page.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("sh\n"));
    let told = |block: &str| {
        let status = block.lines().find_map(|line| line.strip_prefix("# ")).expect("a block says what comes back");
        (block.to_owned(), status.to_owned())
    };
    code.map(told).collect()
}

#[actix_web::test]
async fn every_curl_line_of_these_pages_does_what_the_page_says() {
    every_line_of(include_str!("../../docs/webhooks.md"), 12).await;
    every_line_of(include_str!("../../docs/webhooks-flow.md"), 7).await;
    every_line_of(include_str!("../../docs/api.md"), 5).await;
}

async fn every_line_of(page: &str, least: usize) {
    let gateway = Gateway::start().await;
    let clinic = NewClient { name: "Lotus Clinic".to_owned(), ..tenant("+918047112233") };
    gateway.running.store().add_client(clinic).await.unwrap();
    let blocks = blocks(page);
    assert!(blocks.len() >= least, "{}", blocks.len());
    for (block, status) in blocks {
        let mut shell = Command::new("bash");
        shell.args(["-euo", "pipefail", "-c", &block]).env("NO_PROXY", "*");
        shell.env("BASE", gateway.url("")).env("KEY", WEBHOOK_KEY).env("TOKEN", API_TOKEN).env("ADMIN", ADMIN_TOKEN);
        // The simulated model lives on this thread.
        let output = tokio::task::spawn_blocking(move || shell.output()).await.unwrap().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{block}: {output:?}");
        assert!(said.starts_with(&format!("HTTP/1.1 {status} ")), "{block}: {said}");
        assert!(said.to_lowercase().contains("\r\nx-request-id: "), "{block}: {said}");
    }
    gateway.stop().await;
}
