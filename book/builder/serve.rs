//! The book on this machine's loopback, built again whenever a page or a source has changed.

use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::path::{Component, Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Result, anyhow};
use course::Course;
use tiny_http::{Header, Request, Response, Server};

use crate::page;

/// Serves `out` until the program is ended. `build` fills it; it is called again before an answer when one of the
/// course's files is younger than the last build.
///
/// # Errors
/// Fails where the port is taken.
pub fn run(course: &Course, dir: &Path, out: &Path, port: u16, build: &dyn Fn() -> Result<()>) -> Result<()> {
    let server =
        Server::http((Ipv4Addr::LOCALHOST, port)).map_err(|error| anyhow!("port {port}: {error}"))?;
    println!("The book: http://{}/   (Ctrl-C ends)", server.server_addr());
    let watched = [dir.to_path_buf(), course.root.join("lessons"), course.source()];
    let mut built = SystemTime::now();
    for request in server.incoming_requests() {
        let now = SystemTime::now();
        if watched.iter().any(|folder| changed_since(folder, built)) {
            built = now;
            if let Err(error) = build() {
                eprintln!("{error:#}");
            }
        }
        // A reader who closes the page in the middle is no error.
        let _ = answer(request, out);
    }
    Ok(())
}

fn changed_since(folder: &Path, then: SystemTime) -> bool {
    page::files(folder).unwrap_or_default().iter().any(|name| {
        let changed = fs::metadata(folder.join(name)).and_then(|meta| meta.modified());
        changed.is_ok_and(|changed| changed > then)
    })
}

fn answer(request: Request, out: &Path) -> std::io::Result<()> {
    let Some((path, file)) = locate(out, request.url()) else {
        let page = fs::read(out.join("404.html")).unwrap_or_default();
        return request.respond(Response::from_data(page).with_status_code(404).with_header(kind("html")));
    };
    let extension = path.extension().and_then(|ext| ext.to_str()).unwrap_or_default();
    request.respond(Response::from_file(file).with_header(kind(extension)))
}

/// The file that a URL means; nothing outside `out`.
fn locate(out: &Path, url: &str) -> Option<(PathBuf, File)> {
    let path = url.split(['?', '#']).next().unwrap_or_default().trim_start_matches('/');
    if !Path::new(path).components().all(|part| matches!(part, Component::Normal(_))) {
        return None;
    }
    let mut path = out.join(path);
    if path.is_dir() {
        path.push("index.html");
    }
    let file = File::open(&path).ok()?;
    Some((path, file))
}

fn kind(extension: &str) -> Header {
    let kind = match extension {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    };
    // Both parts are constants of ASCII.
    Header::from_bytes("Content-Type", kind).unwrap_or_else(|()| unreachable!())
}

#[cfg(test)]
mod tests {
    use super::locate;

    #[test]
    fn nothing_outside_the_book_is_served() {
        let root = tempfile::tempdir().unwrap();
        let out = root.path().join("book");
        std::fs::create_dir(&out).unwrap();
        std::fs::write(root.path().join("secret"), "").unwrap();
        std::fs::write(out.join("index.html"), "").unwrap();
        assert!(locate(&out, "/").is_some());
        assert!(locate(&out, "/index.html?x#y").is_some());
        assert!(locate(&out, "/../secret").is_none());
        assert!(locate(&out, "//etc/passwd").is_none());
    }
}
