//! The clinic's desk of `docs/agent.md`, built as the page says: its files, its commands, and its endpoints behind them.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::{Value, json};

use crate::port::free_port;
use crate::process::TestProcess;
use crate::support::eventually;

/// What the clinic's endpoints were asked: where, with which Authorization, what.
type Asked = (String, Option<String>, Value);

#[derive(Clone)]
struct Clinic {
    /// What the page says that `/who`, `/book` and `/pay` answer.
    who: Value,
    book: Value,
    pay: Value,
    asked: Arc<Mutex<Vec<Asked>>>,
}

async fn answer(clinic: web::Data<Clinic>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    if request.method() != "POST" {
        return HttpResponse::MethodNotAllowed().finish();
    }
    let asked: Value = serde_json::from_slice(&body).unwrap();
    let key = request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
    clinic.asked.lock().unwrap().push((request.path().to_owned(), key, asked.clone()));
    let result =
        |result: Value| HttpResponse::Ok().json(json!({ "jsonrpc": "2.0", "id": asked["id"], "result": result }));
    match (request.path(), asked["method"].as_str()) {
        ("/who", _) => HttpResponse::Ok().json(&clinic.who),
        ("/book", _) => HttpResponse::Ok().json(&clinic.book),
        ("/pay", _) => HttpResponse::Ok().json(&clinic.pay),
        (_, Some("initialize")) => result(json!({
            "protocolVersion": asked["params"]["protocolVersion"], "capabilities": { "tools": {} },
            "serverInfo": { "name": "crm", "version": "1" },
        })),
        (_, Some("tools/list")) => {
            let schema = json!({ "type": "object", "properties": { "number": { "type": "string" } } });
            result(json!({ "tools": [{ "name": "find_patient", "description": "Finds one.", "inputSchema": schema }] }))
        }
        (_, Some("tools/call")) => result(json!({ "content": [{ "type": "text", "text": "Asha, since 2019" }] })),
        _ => HttpResponse::Accepted().finish(),
    }
}

impl Clinic {
    fn of(page: &Page) -> Self {
        let answers: Vec<Value> = page.blocks("json").iter().map(|text| serde_json::from_str(text).unwrap()).collect();
        let [who, book, pay] = answers.try_into().unwrap();
        Self { who, book, pay, asked: Arc::default() }
    }

    /// Serves, and says where.
    fn serve(&self) -> String {
        let served = self.clone();
        let app = move || App::new().app_data(web::Data::new(served.clone())).default_service(web::to(answer));
        let server = HttpServer::new(app).workers(1).disable_signals().shutdown_timeout(0).bind("127.0.0.1:0").unwrap();
        let address = server.addrs()[0].to_string();
        actix_rt::spawn(server.run());
        address
    }

    fn asked(&self, path: &str) -> Vec<Asked> {
        self.asked.lock().unwrap().iter().filter(|asked| asked.0 == path).cloned().collect()
    }
}

/// A page that a test follows.
pub(super) struct Page(String);

impl Page {
    pub(super) fn read(path: &str) -> Self {
        Self(std::fs::read_to_string(path).unwrap())
    }

    /// The blocks of one kind, in order.
    pub(super) fn blocks(&self, kind: &str) -> Vec<String> {
        let begins = format!("```{kind}\n");
        self.0.split(&begins).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
    }
}

/// Processes that go with the test.
#[derive(Default)]
pub(super) struct Running(pub(super) Vec<Child>);

impl Drop for Running {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A shell in a folder that has this program by its name, and the page's exports so far.
pub(super) fn shell(folder: &Path, private: &str, exports: &str, line: &str) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_callgate")).parent().unwrap().display();
    let path = format!("{program}:{}", std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new("sh");
    // What is left running takes the place of the shell: it is ended with it.
    let line = match line.strip_suffix('&') {
        Some(kept) => format!("exec {kept}"),
        None => line.to_owned(),
    };
    command.args(["-ec", &format!("{exports}\n{line}")]).current_dir(folder).env_clear();
    command.env("PATH", path).env("PRIVATE_HOSTS", private).env("RUST_LOG", "off").stdin(Stdio::null());
    command
}

#[actix_rt::test]
async fn the_clinics_desk_of_the_documentation_is_built_and_answers_a_call() {
    let page = Page::read("docs/agent.md");
    let clinic = Clinic::of(&page);
    let address = clinic.serve();
    let folder = TestProcess::new();
    let [gateway, model, finder] = [free_port(), free_port(), free_port()].map(|port| port.to_string());
    let here = |text: &str| {
        let text = text.replace("https://clinic.example", &format!("http://{address}"));
        let text = text.replace("Mon-Fri 09:00-18:00", "Mon-Sun 00:00-24:00");
        // One of these ports may hold the digits of another's place.
        let text = text.replace("8080", "<gateway>").replace("8090", "<model>").replace("8091", "<finder>");
        text.replace("<gateway>", &gateway).replace("<model>", &model).replace("<finder>", &finder)
    };
    let write = |name: &str, text: &str| std::fs::write(folder.folder().join(name), text).unwrap();
    write("clinic.txt", &page.blocks("text")[0]);
    write("desk.script", &page.blocks("script")[0]);
    let files = page.blocks("toml");
    let commands = page.blocks("sh");
    assert_eq!((files.len(), commands.len()), (7, 3));
    write("clinic.toml", &here(&files[0]));
    let (mut exports, mut said, mut running) = (String::new(), String::new(), Running::default());
    for (index, block) in commands.iter().enumerate() {
        if index == 1 {
            write("clinic.toml", &here(&files.concat()));
        }
        for line in here(block).lines() {
            let line = line.split(" #").next().unwrap().trim();
            if line.starts_with("export ") {
                exports = format!("{exports}{line}\n");
                continue;
            }
            let mut command = shell(folder.folder(), &address, &exports, line);
            if line.ends_with('&') {
                let ports = [("text-model", &finder), ("model", &model), ("", &gateway)];
                let (_, port) = ports.into_iter().find(|(name, _)| line.contains(name)).unwrap();
                running.0.push(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
                let port = port.parse::<u16>().unwrap();
                let listens = || async move { tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() };
                eventually(&format!("{line} listens"), listens).await;
                continue;
            }
            if line.starts_with("callgate calls ") {
                // What came of it is found out meanwhile.
                let known = || async {
                    let mut command = shell(folder.folder(), &address, &exports, line);
                    let asked = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
                    String::from_utf8_lossy(&asked.stdout).contains("as simulated")
                };
                eventually("what came of it", known).await;
            }
            let done = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
            assert!(
                done.status.success(),
                "{line}: {}{}",
                String::from_utf8_lossy(&done.stdout),
                String::from_utf8_lossy(&done.stderr)
            );
            said += &String::from_utf8(done.stdout).unwrap();
        }
    }
    for words in [
        "+ agent.greeting",
        "a new client",
        "applied, ",
        "asked once",
        "Monday, 10:30",
        "agent_hung_up",
        "as simulated",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let [(_, key, who)] = &clinic.asked("/who")[..] else { panic!("asked once who calls") };
    assert_eq!((key.as_deref(), &who["type"]), (Some("Bearer of-the-crm"), &json!("call.context")));
    // As it was tried, and by the call.
    let booked = clinic.asked("/book");
    assert_eq!(booked.len(), 2, "{booked:?}");
    assert_eq!(
        (&booked[1].2["arguments"], &booked[1].2["context"]),
        (&json!({ "day": "Monday" }), &json!({ "name": "Asha" }))
    );
    assert_eq!(booked[1].1.as_deref(), Some("Bearer of-the-crm"));
    let [(_, _, paid)] = &clinic.asked("/pay")[..] else { panic!("paid once") };
    let card = paid["arguments"]["card"].as_str().unwrap().to_owned();
    assert!(commands[2].contains(&card) && card.len() == 16, "{paid}");
    let runs = card.as_bytes().windows(8).map(|run| String::from_utf8_lossy(run).into_owned());
    let database = std::fs::read(folder.folder().join("callgate.db")).unwrap();
    let written = [&database[..], &std::fs::read(folder.folder().join("callgate.db-wal")).unwrap_or_default()].concat();
    let written = String::from_utf8_lossy(&written).into_owned();
    assert!(written.contains("{{digits:1}}") && written.contains("[masked]"));
    assert!(runs.into_iter().all(|run| !written.contains(&run)));
    let called = clinic.asked("/mcp").into_iter().find(|asked| asked.2["method"] == "tools/call").unwrap();
    assert_eq!(called.2["params"]["name"], "find_patient");
}
