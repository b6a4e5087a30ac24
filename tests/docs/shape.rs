//! Links, lengths and fences.

use std::path::{Component, Path, PathBuf};

use super::page::{Page, pages, root};

/// Pages that may be longer than a sitting, and why.
const LONGER: [(&str, &str); 3] = [
    ("THIRD-PARTY.md", "generated: a row for each crate"),
    ("docs/settings.md", "generated: a row for each setting"),
    ("docs/limits.md", "a table that is looked things up in: a row for each bound"),
];
const LONGEST: usize = 200;
/// The front page is read in three minutes.
const LONGEST_FRONT: usize = 120;
/// What a block may hold; `sh` is what readers paste, and is run (`commands.rs`).
const LANGUAGES: [&str; 9] = ["sh", "text", "json", "toml", "xml", "python", "script", "yaml", "mermaid"];

/// `docs/a.md` and `../README.md` make `README.md`.
fn beside(page: &str, target: &str) -> PathBuf {
    let mut path = PathBuf::new();
    for part in Path::new(page).parent().unwrap().join(target).components() {
        match part {
            Component::ParentDir => assert!(path.pop(), "{page}: {target} leads out of the repository"),
            part => path.push(part),
        }
    }
    path
}

#[test]
fn every_link_leads_to_a_page_and_to_a_heading_that_there_are() {
    let (mut dead, mut followed) = (Vec::new(), 0);
    for page in pages() {
        for link in page.links() {
            followed += 1;
            let (target, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let path = if target.is_empty() { PathBuf::from(&page.path) } else { beside(&page.path, target) };
            if !root().join(&path).exists() {
                dead.push(format!("{}: {link}: there is no {}", page.path, path.display()));
            } else if !anchor.is_empty()
                && !Page::read(path.to_str().unwrap()).anchors().iter().any(|has| has == anchor)
            {
                dead.push(format!("{}: {link}: {} has no such heading", page.path, path.display()));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
    assert!(followed > 80, "{followed}");
}

#[test]
fn every_page_is_led_to_by_another() {
    let all = pages();
    let led: Vec<PathBuf> = all
        .iter()
        .flat_map(|page| page.links().into_iter().map(|link| (page.path.clone(), link)))
        .filter_map(|(page, link)| {
            let target = link.split('#').next().unwrap();
            let path = (!target.is_empty()).then(|| beside(&page, target))?;
            (path != Path::new(&page)).then_some(path)
        })
        .collect();
    for page in all.iter().filter(|page| page.path != "README.md") {
        assert!(led.contains(&PathBuf::from(&page.path)), "nobody finds {}: no page links to it", page.path);
    }
}

#[test]
fn no_page_is_longer_than_a_reader_stays() {
    for page in pages().iter().filter(|page| page.path != "CHANGELOG.md") {
        let most = if page.path == "README.md" { LONGEST_FRONT } else { LONGEST };
        let may = LONGER.iter().any(|(path, _)| *path == page.path);
        assert!(may || page.lines() <= most, "{}: {} lines, and {most} are allowed", page.path, page.lines());
    }
}

#[test]
fn every_block_says_what_it_is() {
    for page in pages() {
        for block in page.blocks() {
            let known = LANGUAGES.contains(&block.language.as_str());
            assert!(known, "{}:{}: `{}` is none of {LANGUAGES:?}", page.path, block.line, block.language);
        }
    }
}
