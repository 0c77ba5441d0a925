//! The published book: a folder a version, `latest` for the main branch, and the list of them all.
//!
//! ```text
//! site/index.html      leads to latest, or to the newest version
//! site/versions.html   all of them
//! site/latest/ site/v0.2/ site/v0.1/
//! ```

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use course::Course;

use crate::{Book, matrix, render};

/// The folder of the main branch's book.
const LATEST: &str = "latest";

/// Builds the book in `dir` about `course` as `version` (`latest`, or a tag such as `v0.2.1`) into its folder below
/// `site`, and lists what is there. A tag's last number makes no version of its own: `v0.2.1` takes the place of
/// `v0.2.0` in `site/v0.2`. Returns that folder's name.
///
/// # Errors
/// Fails where the version is no version, the book has a defect or a gap, or its sources are not proved.
pub fn run(course: &Course, dir: &Path, version: &str, site: &Path) -> Result<String> {
    let folder = folder(version)?;
    let book = Book::open(course, dir)?.with_version(version);
    matrix::proved(&book).context("only what is proved is published: cargo lesson prove")?;
    let pages = book.pages()?;
    if let Some(first) = pages.defects.iter().chain(&pages.gaps).next() {
        bail!("{first}\n{} defects: cargo run -p book -- check", pages.defects.len() + pages.gaps.len());
    }
    fs::create_dir_all(site).with_context(|| site.display().to_string())?;
    let out = site.join(&folder);
    if out.exists() {
        fs::remove_dir_all(&out).with_context(|| out.display().to_string())?;
    }
    if let Some(warning) = render::html(&book, &pages, &out)?.first() {
        bail!("mdBook warns: {warning}");
    }
    list(site)?;
    Ok(folder)
}

/// The folder of a version.
fn folder(version: &str) -> Result<String> {
    if version == LATEST {
        return Ok(version.to_string());
    }
    let numbers: Vec<_> = version.strip_prefix('v').unwrap_or_default().split('.').collect();
    let number = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    ensure!(
        (2..=3).contains(&numbers.len()) && numbers.iter().all(number),
        "{version:?} is no version: write {LATEST}, or a tag such as v0.2.1"
    );
    Ok(format!("v{}.{}", numbers[0], numbers[1]))
}

/// Writes the two pages that lead to the versions.
fn list(site: &Path) -> Result<()> {
    let mut versions = Vec::new();
    for entry in site.read_dir()? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if folder(&name).is_ok_and(|folder| folder == name) {
            versions.push(name);
        }
    }
    versions.sort_by_key(|name| std::cmp::Reverse(rank(name)));
    let first = versions.first().context("no version is there")?;
    let links: Vec<_> =
        versions.iter().map(|name| format!("<li><a href=\"{name}/\">{name}</a></li>")).collect();
    fs::write(site.join("versions.html"), page("", &format!("<ul>\n{}\n</ul>", links.join("\n"))))?;
    let lead = format!("<meta http-equiv=\"refresh\" content=\"0; url={first}/\">\n");
    fs::write(site.join("index.html"), page(&lead, &format!("<p><a href=\"{first}/\">To the book</a></p>")))?;
    Ok(())
}

/// `latest` before all others, and those by their numbers: v0.10 is younger than v0.9.
fn rank(name: &str) -> Vec<u64> {
    match name.strip_prefix('v') {
        Some(numbers) => numbers.split('.').map(|number| number.parse().unwrap_or(0)).collect(),
        None => vec![u64::MAX],
    }
}

fn page(head: &str, body: &str) -> String {
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         {head}<title>Coracle: build a container runtime</title>\n</head>\n<body>\n<h1>Coracle: build a container \
         runtime</h1>\n{body}\n</body>\n</html>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::{folder, list};

    #[test]
    fn a_tag_is_a_folder_and_nonsense_is_refused() {
        assert_eq!(folder("latest").unwrap(), "latest");
        assert_eq!(folder("v0.2.1").unwrap(), "v0.2");
        assert_eq!(folder("v1.10").unwrap(), "v1.10");
        for wrong in ["", "v1", "1.2", "v1.x", "v1.2.3.4", "v1..2", "../up", "v1.2/../.."] {
            assert!(folder(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn the_newest_version_comes_first_and_nothing_else_is_listed() {
        let site = tempfile::tempdir().unwrap();
        for name in ["v0.9", "v0.10", "assets"] {
            std::fs::create_dir(site.path().join(name)).unwrap();
        }
        list(site.path()).unwrap();
        let read = |name: &str| std::fs::read_to_string(site.path().join(name)).unwrap();
        assert!(read("index.html").contains("url=v0.10/"), "{}", read("index.html"));
        let all = read("versions.html");
        assert!(all.find("v0.10/") < all.find("v0.9/") && !all.contains("assets"), "{all}");
        std::fs::create_dir(site.path().join("latest")).unwrap();
        list(site.path()).unwrap();
        assert!(read("index.html").contains("url=latest/"));
    }
}
