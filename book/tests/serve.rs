//! The book is served to browsers as they are: with many connections at once, and some on which nothing is asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Ends the server, however the test ends.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn idle_connections_keep_nobody_waiting() {
    let mut serve = Command::new(env!("CARGO_BIN_EXE_book"));
    serve.args(["serve", "--port", "0"]).stdout(Stdio::piped());
    let mut server = Server(serve.spawn().expect("the server starts"));
    let mut line = String::new();
    let stdout = server.0.stdout.take().expect("its output");
    BufReader::new(stdout).read_line(&mut line).expect("its address");
    let address =
        line.trim_start_matches("The book: http://").split('/').next().unwrap_or_default().to_string();
    let open = || TcpStream::connect(&address).unwrap_or_else(|error| panic!("{address}: {error}"));
    // More than a browser opens in advance; all of them stay open.
    let idle: Vec<_> = (0..20).map(|_| open()).collect();
    let get = |path: &str| {
        let mut stream = open();
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a time limit");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").expect("the request");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer, although others say nothing");
        String::from_utf8_lossy(&answer).into_owned()
    };
    let page = get("/01-namespaces.html?x");
    assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.contains("text/html"), "{page:.200}");
    assert!(page.ends_with("</html>\n"), "the page is whole");
    assert!(get("/../Cargo.toml").starts_with("HTTP/1.1 404"));
    drop(idle);
}
