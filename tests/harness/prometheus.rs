//! A real Prometheus that scrapes the operator, with everything it keeps in a directory of its own.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::{Browser, Result, tool, wait_for};

/// Prometheus. It ends with this.
#[derive(Debug)]
pub struct Prometheus {
    child: Child,
    browser: Browser,
    _data: TempDir,
}

impl Prometheus {
    /// Starts one that scrapes `target` (`127.0.0.1:9253`) all the time, with these alert rules.
    ///
    /// # Errors
    /// Fails when it is not installed.
    pub fn start(target: &str, rules: &Path) -> Result<Self> {
        let data = tempfile::tempdir()?;
        let file = data.path().join("prometheus.yml");
        fs::write(
            &file,
            format!(
                "global: {{scrape_interval: 200ms, scrape_timeout: 200ms, evaluation_interval: 200ms}}\n\
                 rule_files: [\"{}\"]\n\
                 scrape_configs: [{{job_name: fpmd, static_configs: [{{targets: [\"{target}\"]}}]}}]\n",
                rules.display()
            ),
        )?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let child = Command::new(tool::find("prometheus", "prometheus")?)
            .arg(format!("--config.file={}", file.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                data.path().join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self {
            child,
            browser: Browser::new(&format!("http://{address}")),
            _data: data,
        })
    }

    /// Asks its interface for something, as soon as it answers; returns what is there under `data`.
    ///
    /// # Errors
    /// Fails when it says that the question is wrong.
    pub fn ask(&self, path: &str) -> Result<Value> {
        let page = wait_for("Prometheus answers", || {
            // It says so while it reads what it keeps.
            let page = self.browser.get(path).ok();
            Ok(page.filter(|page| page.status != 503))
        })?;
        let mut said: Value = serde_json::from_str(&page.text()).with_context(|| page.text())?;
        ensure!(said["status"] == "success", "{path}: {said}");
        Ok(said["data"].take())
    }

    /// Evaluates an expression; returns the results.
    ///
    /// # Errors
    /// Fails when it makes no sense to Prometheus.
    pub fn evaluate(&self, expression: &str) -> Result<Vec<Value>> {
        let mut query = String::from("/api/v1/query?query=");
        for byte in expression.bytes() {
            query += &format!("%{byte:02x}");
        }
        let found = self.ask(&query)?;
        found["result"].as_array().cloned().context("no results")
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
