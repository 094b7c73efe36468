//! A real browser without a window, led by the DevTools protocol over a pipe.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{Result, tool, wait_for};

/// Chromium reads what to do from descriptor 3 and answers at 4.
const COMMAND: &str = "exec \"$0\" \"$@\" 3<&0 4>&1";

/// What ends a message.
const END: u8 = 0;

/// A browser with one page. It ends with this.
#[derive(Debug)]
pub struct Chromium {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    session: Option<String>,
    last: u64,
    complaints: Vec<String>,
    _profile: TempDir,
}

/// How a page is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// In pixels of CSS, as the next.
    pub width: u32,
    /// Its height.
    pub height: u32,
    /// `light` or `dark`.
    pub scheme: &'static str,
}

impl Chromium {
    /// Starts it with an empty page.
    ///
    /// # Errors
    /// Fails when it is not installed or does not start.
    pub fn start() -> Result<Self> {
        let profile = tempfile::tempdir()?;
        let mut child = Command::new("sh")
            .args(["-c", COMMAND])
            .arg(tool::find("chromium", "chromium")?)
            .args([
                "--headless=new",
                // Its sandbox does not like root.
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--remote-debugging-pipe",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut browser = Self {
            orders: child.stdin.take().context("it was piped")?,
            answers: BufReader::new(child.stdout.take().context("it was piped")?),
            child,
            session: None,
            last: 0,
            complaints: Vec::new(),
            _profile: profile,
        };
        let target = browser.call("Target.createTarget", &json!({"url": "about:blank"}))?;
        let attached = browser.call(
            "Target.attachToTarget",
            &json!({"targetId": target["targetId"], "flatten": true}),
        )?;
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            browser.call(domain, &json!({}))?;
        }
        Ok(browser)
    }

    /// Goes to an address.
    ///
    /// # Errors
    /// Fails when the browser does not.
    pub fn open(&mut self, address: &str) -> Result {
        let went = self.call("Page.navigate", &json!({"url": address}))?;
        ensure!(went["errorText"].is_null(), "{address}: {went}");
        Ok(())
    }

    /// Shows the page in another way.
    ///
    /// # Errors
    /// Fails when the browser does not.
    pub fn view(&mut self, view: View) -> Result {
        self.call(
            "Emulation.setDeviceMetricsOverride",
            &json!({"width": view.width, "height": view.height, "deviceScaleFactor": 1,
                "mobile": view.width < 600}),
        )?;
        self.call(
            "Emulation.setEmulatedMedia",
            &json!({"features": [{"name": "prefers-color-scheme", "value": view.scheme}]}),
        )
        .map(drop)
    }

    /// Evaluates an expression in the page.
    ///
    /// # Errors
    /// Fails when it throws.
    pub fn evaluate(&mut self, expression: &str) -> Result<Value> {
        let mut found = self.call(
            "Runtime.evaluate",
            &json!({"expression": expression, "returnByValue": true}),
        )?;
        ensure!(found["exceptionDetails"].is_null(), "{expression}: {found}");
        Ok(found["result"]["value"].take())
    }

    /// Evaluates an expression again and again until it is true.
    ///
    /// # Errors
    /// Fails when that takes longer than [`crate::PATIENCE`].
    pub fn wait_until(&mut self, expression: &str) -> Result {
        let browser = std::cell::RefCell::new(self);
        let seen = wait_for(expression, || {
            let so = browser.borrow_mut().evaluate(expression).ok();
            Ok(so.filter(|so| *so == Value::Bool(true)))
        });
        let text = browser.borrow_mut().evaluate("document.body.innerText");
        seen.map(drop)
            .with_context(|| format!("the page says {text:?}"))
    }

    /// Takes a picture of the whole page; returns how many bytes it has in base64.
    ///
    /// # Errors
    /// Fails when there is none.
    pub fn picture(&mut self) -> Result<usize> {
        let shot = self.call(
            "Page.captureScreenshot",
            &json!({"captureBeyondViewport": true}),
        )?;
        Ok(shot["data"].as_str().context("no picture")?.len())
    }

    /// What the page's scripts and the browser itself have complained of so far.
    #[must_use]
    pub fn complaints(&self) -> &[String] {
        &self.complaints
    }

    fn call(&mut self, method: &str, parameters: &Value) -> Result<Value> {
        self.last += 1;
        let mut order = json!({"id": self.last, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            order["sessionId"] = session.as_str().into();
        }
        self.orders.write_all(order.to_string().as_bytes())?;
        self.orders.write_all(&[END])?;
        loop {
            let mut bytes = Vec::new();
            self.answers.read_until(END, &mut bytes)?;
            if bytes.pop() != Some(END) {
                bail!("{method}: the browser has ended");
            }
            let mut message: Value = serde_json::from_slice(&bytes)?;
            if message["id"] == self.last {
                ensure!(message["error"].is_null(), "{method}: {message}");
                return Ok(message["result"].take());
            }
            let event = message["method"].as_str().unwrap_or_default();
            if event == "Runtime.exceptionThrown" || event == "Log.entryAdded" {
                self.complaints.push(message["params"].to_string());
            }
        }
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
