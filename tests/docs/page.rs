//! The pages, read as far as the tests want to know them.

use std::path::{Path, PathBuf};

/// A block between fences.
pub struct Block {
    /// What stands behind the opening fence.
    pub language: String,
    /// The line of the opening fence.
    pub line: usize,
    pub text: String,
}

/// A page of Markdown.
pub struct Page {
    /// From the root of the repository.
    pub path: String,
    pub text: String,
}

impl Page {
    pub fn read(path: &str) -> Self {
        let text = std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        Self { path: path.to_owned(), text }
    }

    pub fn lines(&self) -> usize {
        self.text.lines().count()
    }

    /// What is code, in order.
    pub fn blocks(&self) -> Vec<Block> {
        let mut blocks: Vec<Block> = Vec::new();
        let mut inside = false;
        for (at, line) in self.text.lines().enumerate() {
            match (line.trim_start().strip_prefix("```"), inside) {
                (Some(language), false) => {
                    blocks.push(Block { language: language.to_owned(), line: at + 1, text: String::new() });
                    inside = true;
                }
                (Some(_), true) => inside = false,
                (None, true) => blocks.last_mut().unwrap().text.extend([line, "\n"]),
                (None, false) => {}
            }
        }
        assert!(!inside, "{}: a fence is left open", self.path);
        blocks
    }

    /// What is not code: its lines, without what stands in backticks.
    pub fn prose(&self) -> String {
        let mut inside = false;
        let mut prose = String::new();
        for line in self.text.lines() {
            if line.trim_start().starts_with("```") {
                inside = !inside;
            } else if !inside {
                prose.extend(line.split('`').step_by(2));
                prose.push('\n');
            }
        }
        prose
    }

    /// Commands that stand in a sentence: what is in backticks, on one line.
    pub fn spans(&self) -> Vec<&str> {
        let mut inside = false;
        let mut spans = Vec::new();
        for line in self.text.lines() {
            if line.trim_start().starts_with("```") {
                inside = !inside;
            } else if !inside {
                spans.extend(line.split('`').skip(1).step_by(2));
            }
        }
        spans
    }

    /// Where its links lead, but for those to other hosts.
    pub fn links(&self) -> Vec<String> {
        let prose = self.prose();
        let targets = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        targets.filter(|target| !target.contains("://")).map(str::to_owned).collect()
    }

    /// What its headings are called in an address, as GitHub makes it.
    pub fn anchors(&self) -> Vec<String> {
        let mut inside = false;
        let mut anchors = Vec::new();
        for line in self.text.lines() {
            if line.starts_with("```") {
                inside = !inside;
            }
            let Some((marks, words)) = line.split_once(' ').filter(|_| !inside) else { continue };
            if !marks.is_empty() && marks.bytes().all(|byte| byte == b'#') {
                let kept = words.to_lowercase().replace(' ', "-");
                anchors.push(kept.chars().filter(|char| char.is_alphanumeric() || "-_".contains(*char)).collect());
            }
        }
        anchors
    }
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn markdown_of(folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(root().join(folder)).unwrap();
    let files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    let pages = files.iter().filter(|path| path.extension().is_some_and(|ending| ending == "md"));
    let named = pages.map(|path| path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
    let mut all: Vec<String> = named.collect();
    all.sort();
    all
}

/// Every page that a reader may open: at the root, in `docs/` and below it.
pub fn pages() -> Vec<Page> {
    let paths = ["", "docs", "docs/runbooks"].into_iter().flat_map(markdown_of);
    paths.map(|path| Page::read(&path)).collect()
}
