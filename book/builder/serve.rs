//! The book on this machine's loopback, built again whenever a page or a source has changed.
//!
//! One answer a connection, as in HTTP/1.0. A browser opens six connections at once, and some of them in advance; each
//! is read by a thread of its own, so that none can keep the others waiting. (tiny_http's pool of threads does: a page
//! with more than four files never finished loading in Chromium.)

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use course::Course;

use crate::page;

/// A browser that says or takes nothing for so long is given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest head of a request that is read.
const HEAD: u64 = 16 * 1024;

/// Serves `out` until the program is ended. `build` fills it; it is called again before an answer when one of the
/// course's files is younger than the last build.
///
/// # Errors
/// Fails where the port is taken.
pub fn run(course: &Course, dir: &Path, out: &Path, port: u16, build: &dyn Fn() -> Result<()>) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).with_context(|| format!("port {port}"))?;
    println!("The book: http://{}/   (Ctrl-C ends)", listener.local_addr()?);
    let watched = [dir.to_path_buf(), course.root.join("lessons"), course.source()];
    let mut built = SystemTime::now();
    let (sender, requests) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let sender = sender.clone();
            thread::spawn(move || read(stream, &sender));
        }
    });
    for (stream, path) in requests {
        let now = SystemTime::now();
        if watched.iter().any(|folder| changed_since(folder, built)) {
            built = now;
            if let Err(error) = build() {
                eprintln!("{error:#}");
            }
        }
        // A reader who closes the page in the middle is no error.
        let _ = answer(stream, out, &path);
    }
    Ok(())
}

/// Reads the head of a request and hands on what it asks for.
fn read(stream: TcpStream, sender: &Sender<(TcpStream, String)>) {
    if stream.set_read_timeout(Some(PATIENCE)).and(stream.set_write_timeout(Some(PATIENCE))).is_err() {
        return;
    }
    let mut head = Vec::new();
    for byte in
        stream.try_clone().into_iter().flat_map(|stream| io::BufReader::new(stream).take(HEAD).bytes())
    {
        let Ok(byte) = byte else { return };
        head.push(byte);
        if head.ends_with(b"\r\n\r\n") {
            break;
        }
    }
    let head = String::from_utf8_lossy(&head);
    let path =
        head.strip_prefix("GET ").and_then(|rest| rest.split_once(' ')).map(|(path, _)| path.to_string());
    if let Some(path) = path {
        // Nobody receives any more only where the program ends.
        let _ = sender.send((stream, path));
    }
}

fn changed_since(folder: &Path, then: SystemTime) -> bool {
    page::files(folder).unwrap_or_default().iter().any(|name| {
        let changed = fs::metadata(folder.join(name)).and_then(|meta| meta.modified());
        changed.is_ok_and(|changed| changed > then)
    })
}

fn answer(mut stream: TcpStream, out: &Path, url: &str) -> io::Result<()> {
    let (status, kind, body) = match locate(out, url) {
        Some(path) => ("200 OK", kind(&path), fs::read(path)?),
        None => {
            ("404 Not Found", kind(Path::new("404.html")), fs::read(out.join("404.html")).unwrap_or_default())
        }
    };
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    )?;
    stream.write_all(&body)
}

/// The file that a URL means; nothing outside `out`.
fn locate(out: &Path, url: &str) -> Option<PathBuf> {
    let path = url.split(['?', '#']).next().unwrap_or_default().trim_start_matches('/');
    if !Path::new(path).components().all(|part| matches!(part, Component::Normal(_))) {
        return None;
    }
    let mut path = out.join(path);
    if path.is_dir() {
        path.push("index.html");
    }
    path.is_file().then_some(path)
}

fn kind(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()).unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
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
