//! A browser without a window, spoken to over the two pipes of `--remote-debugging-pipe`.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use auscult::pipeline::Stopwatch;
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(30);

pub struct Browser {
    child: Child,
    to: File,
    from: Receiver<Value>,
    calls: u64,
    session: Option<String>,
    /// What the page's console, and the browser itself, complained about.
    pub complaints: Vec<Value>,
}

impl Browser {
    /// Starts one with an empty page; nothing where there is none.
    pub fn start(folder: &Path, (width, height): (u32, u32)) -> Option<Self> {
        let names = ["chromium", "google-chrome", "chromium-browser"];
        let runs = |name: &&str| Command::new(name).arg("--version").output().is_ok_and(|run| run.status.success());
        let browser = names.into_iter().find(runs)?;
        let (to, from) = (folder.join("to-browser"), folder.join("from-browser"));
        assert!(Command::new("mkfifo").args([&to, &from]).status().unwrap().success());
        // The shell opens both ends of each pipe, so that nobody waits for the other.
        let script = r#"to=$1 from=$2; shift 2; exec "$@" 3<>"$to" 4<>"$from""#;
        let child = Command::new("sh")
            .args(["-c", script, "sh"])
            .args([&to, &from])
            .args([browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-pipe"])
            .arg(format!("--user-data-dir={}", folder.join("profile").display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let open = |path: &Path| OpenOptions::new().read(true).write(true).open(path).unwrap();
        let (tell, told) = channel();
        let mut pieces = BufReader::new(open(&from));
        // It ends with the test program: the pipe has no end of its own.
        std::thread::spawn(move || {
            let mut piece = Vec::new();
            while pieces.read_until(0, &mut piece).is_ok_and(|read| read > 0) {
                let message = serde_json::from_slice(piece.strip_suffix(&[0]).unwrap_or(&piece)).unwrap();
                piece.clear();
                if tell.send(message).is_err() {
                    return;
                }
            }
        });
        let mut it = Self { child, to: open(&to), from: told, calls: 0, session: None, complaints: Vec::new() };
        let target = it.call("Target.createTarget", json!({"url": "about:blank"}))["targetId"].clone();
        let attached = it.call("Target.attachToTarget", json!({"targetId": target, "flatten": true}));
        it.session = Some(attached["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Runtime", "Log", "Page"] {
            it.call(&format!("{domain}.enable"), json!({}));
        }
        it.call(
            "Emulation.setDeviceMetricsOverride",
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}),
        );
        Some(it)
    }

    pub fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.calls += 1;
        let mut message = json!({"id": self.calls, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.to.write_all(&[message.to_string().as_bytes(), &[0]].concat()).unwrap();
        loop {
            let message = self.from.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{method}: the browser says nothing"));
            if message["id"] == self.calls {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].clone();
            }
            if matches!(
                message["method"].as_str(),
                Some("Log.entryAdded" | "Runtime.exceptionThrown" | "Runtime.consoleAPICalled")
            ) {
                self.complaints.push(message);
            }
        }
    }

    /// What an expression is by now; promises are waited for.
    pub fn value(&mut self, expression: &str) -> Value {
        let parameters = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let result = self.call("Runtime.evaluate", parameters);
        assert!(result["exceptionDetails"].is_null(), "{expression}: {result}");
        result["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    pub fn until(&mut self, expression: &str) {
        let start = Stopwatch::start();
        while self.value(expression) != json!(true) {
            if start.seconds() > PATIENCE.as_secs_f64() {
                let page = self.value("document.body.innerText.slice(0.as_secs_f64(), 600)");
                panic!("{expression} does not come true: {page}");
            }
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    pub fn key(&mut self, key: &str) {
        let (text, code) = match key {
            "Enter" => ("\r", 13),
            "Escape" => ("", 27),
            key => (key, 0),
        };
        let mut down = json!({"type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": code});
        if !text.is_empty() {
            down["text"] = json!(text);
        }
        self.call("Input.dispatchKeyEvent", down);
        self.call("Input.dispatchKeyEvent", json!({"type": "keyUp", "key": key, "code": key, "windowsVirtualKeyCode": code}));
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
