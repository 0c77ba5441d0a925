//! The repository, through the `git` command.

use std::ffi::OsStr;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};
use course::Tree;

/// Where the reference was when the course began.
pub(super) const BASE: &str = "refs/coracle/base";
/// The commits that hold what a verb replaced.
pub(super) const BACKUP: &str = "refs/coracle/backup";
/// The sources, from the repository's root.
pub(super) const SOURCE: &str = "crates/coracle/src";
/// The line of `start`'s commit that names the reference. A clone of a learner's branch carries it, unlike refs of
/// our own.
const TRAILER: &str = "Coracle-Base";

/// A git repository with at least one commit.
pub(super) struct Git {
    root: PathBuf,
}

impl Git {
    /// Opens the repository whose root is the course's.
    ///
    /// # Errors
    /// Fails where git is missing, or where there is no history; the text says what to do.
    pub(super) fn open(root: &Path) -> Result<Self> {
        let git = Self { root: root.to_path_buf() };
        let top = git.output(&["rev-parse", "--show-toplevel"])?;
        if !top.status.success() {
            let error = String::from_utf8_lossy(&top.stderr);
            if !error.contains("not a git repository") {
                bail!("{}", error.trim());
            }
            return Err(git.no_history("has no git history (a zip download?)"));
        }
        let top = PathBuf::from(String::from_utf8_lossy(&top.stdout).trim());
        if top.canonicalize().ok() != root.canonicalize().ok() {
            return Err(
                git.no_history(&format!("has no git history of its own: it lies inside {}", top.display()))
            );
        }
        if git.commit("HEAD").is_none() {
            return Err(git.no_history("has no commit yet"));
        }
        Ok(git)
    }

    fn no_history(&self, what: &str) -> anyhow::Error {
        let mut cure = vec![format!("cd {}", self.root.display()), "git init".to_owned()];
        if !self.knows_who() {
            cure.push("git config user.name \"Your Name\"".to_owned());
            cure.push("git config user.email you@example.com".to_owned());
        }
        cure.push("git add -A && git commit -m \"Coracle as downloaded\"".to_owned());
        cure.push("cargo lesson start".to_owned());
        anyhow::anyhow!(
            "{} {what}, and the course keeps your work in git. Do this once:\n  {}",
            self.root.display(),
            cure.join("\n  ")
        )
    }

    fn command(&self) -> Command {
        let mut command = Command::new("git");
        // The texts below are compared; a pager or a prompt would wait for somebody.
        command
            .arg("-C")
            .arg(&self.root)
            .env("LC_ALL", "C")
            .env("GIT_TERMINAL_PROMPT", "0")
            .stdin(Stdio::null());
        command
    }

    fn output<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<Output> {
        run(self.command().args(arguments))
    }

    /// What git prints, without the newline at its end.
    pub(super) fn read<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Result<String> {
        read(self.command().args(arguments))
    }

    /// The commit that `revision` names, if there is one.
    pub(super) fn commit(&self, revision: &str) -> Option<String> {
        self.read(&["rev-parse", "--verify", "--quiet", &format!("{revision}^{{commit}}")]).ok()
    }

    /// The branch that is checked out; `None` where HEAD is detached.
    pub(super) fn branch(&self) -> Option<String> {
        self.read(&["symbolic-ref", "--short", "--quiet", "HEAD"]).ok()
    }

    /// Whether git can tell whose commits these are.
    pub(super) fn knows_who(&self) -> bool {
        self.output(&["var", "GIT_COMMITTER_IDENT"]).is_ok_and(|output| output.status.success())
    }

    /// The reference of the course branch at `revision`; `None` where that is no course branch.
    ///
    /// # Errors
    /// Fails where the branch names a reference that this clone does not have.
    pub(super) fn base_of(&self, revision: &str) -> Result<Option<String>> {
        let format = format!("--format=%(trailers:key={TRAILER},valueonly)");
        let base = self.read(&["log", "-1", &format!("--grep=^{TRAILER}: "), &format, revision, "--"])?;
        if base.is_empty() {
            return Ok(None);
        }
        let found = self.commit(&base).with_context(|| {
            format!("the reference of this branch, commit {base}, is not in this clone. Try: git fetch --unshallow")
        })?;
        Ok(Some(found))
    }

    /// The text of `start`'s commit.
    pub(super) fn start_message(base: &str) -> String {
        format!("Start the course: the functions of every lesson are open\n\n{TRAILER}: {base}\n")
    }

    /// The runtime's sources as they are in `commit`.
    pub(super) fn tree(&self, commit: &str) -> Result<Tree> {
        let names = self.read(&["ls-tree", "-r", "-z", "--name-only", commit, "--", SOURCE])?;
        let names: Vec<&str> = names.split('\0').filter(|name| name.ends_with(".rs")).collect();
        let request: String = names.iter().map(|name| format!("{commit}:{name}\n")).collect();
        let answer = self.feed(self.command().args(["cat-file", "--batch"]), request.as_bytes())?;
        let mut rest = answer.as_slice();
        let mut tree = Tree::default();
        for name in names {
            // Each answer: "<object> blob <size>", a newline, the bytes, a newline.
            let line = rest.iter().position(|byte| *byte == b'\n').context("git cat-file ended early")?;
            let size = std::str::from_utf8(&rest[..line])?.rsplit(' ').next().unwrap_or_default();
            let size: usize = size.parse().with_context(|| format!("git has no {name} in {commit}"))?;
            let text = rest.get(line + 1..line + 1 + size).context("git cat-file ended early")?;
            let file = Path::new(name).strip_prefix(SOURCE)?.to_path_buf();
            tree.files.insert(
                file,
                String::from_utf8(text.to_vec()).with_context(|| format!("{name} in {commit}"))?,
            );
            rest = rest.get(line + 2 + size..).unwrap_or_default();
        }
        Ok(tree)
    }

    /// Makes a commit: that of `parent` with these sources in place of its own. Neither the work tree nor the index
    /// nor a branch changes.
    pub(super) fn commit_with(&self, parent: &str, tree: &Tree, message: &str) -> Result<String> {
        let scratch = tempfile::tempdir().context("making a folder for git's index")?;
        let index = scratch.path().join("index");
        read(self.command().env("GIT_INDEX_FILE", &index).args(["read-tree", parent]))?;
        for (name, text) in &tree.files {
            let mut hash = self.command();
            let object = self.feed(hash.args(["hash-object", "-w", "--stdin"]), text.as_bytes())?;
            let entry = format!("100644,{},{SOURCE}/{}", String::from_utf8(object)?.trim(), name.display());
            let mut update = self.command();
            read(update.env("GIT_INDEX_FILE", &index).args([
                "update-index",
                "--add",
                "--cacheinfo",
                &entry,
            ]))?;
        }
        self.commit_index(&index, parent, message)
    }

    /// Keeps the whole work tree as it is now, in a commit of its own. Returns the ref that holds it.
    pub(super) fn backup(&self, before: &str) -> Result<String> {
        let scratch = tempfile::tempdir().context("making a folder for git's index")?;
        let index = scratch.path().join("index");
        read(self.command().env("GIT_INDEX_FILE", &index).args(["read-tree", "HEAD"]))?;
        read(self.command().env("GIT_INDEX_FILE", &index).args(["add", "--all"]))?;
        let head = self.commit("HEAD").context("HEAD is gone")?;
        let commit = self.commit_index(&index, &head, &format!("Before cargo lesson {before}\n"))?;
        let date = "--date=format:%Y-%m-%d-%H%M%S";
        let time = self.read(&["show", "--no-patch", date, "--format=%cd", &commit])?;
        for number in 1.. {
            let name =
                if number == 1 { format!("{BACKUP}/{time}") } else { format!("{BACKUP}/{time}-{number}") };
            if self.commit(&name).is_none() {
                self.read(&["update-ref", &name, &commit, ""])?;
                return Ok(name);
            }
        }
        unreachable!("some number is free")
    }

    fn commit_index(&self, index: &Path, parent: &str, message: &str) -> Result<String> {
        let tree = read(self.command().env("GIT_INDEX_FILE", index).args(["write-tree"]))?;
        let mut command = self.command();
        if !self.knows_who() {
            command.args(["-c", "user.name=Coracle learner", "-c", "user.email=learner@localhost"]);
        }
        read(command.args(["commit-tree", &tree, "-p", parent, "-m", message.trim_end()]))
    }

    fn feed(&self, command: &mut Command, input: &[u8]) -> Result<Vec<u8>> {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("git does not start")?;
        let mut stdin = child.stdin.take().context("git has no stdin")?;
        // A scoped thread writes while this one reads: neither pipe can fill up.
        let output = std::thread::scope(|scope| {
            let writer = scope.spawn(move || stdin.write_all(input));
            let output = child.wait_with_output();
            writer.join().map_err(|_| anyhow::anyhow!("writing to git failed"))??;
            Ok::<_, anyhow::Error>(output?)
        })?;
        if !output.status.success() {
            bail!("git failed ({}): {command:?}", output.status);
        }
        Ok(output.stdout)
    }
}

fn run(command: &mut Command) -> Result<Output> {
    command.output().map_err(|error| match error.kind() {
        ErrorKind::NotFound => anyhow::anyhow!("git is not installed, and the course keeps your work in it"),
        _ => anyhow::Error::new(error).context("git does not start"),
    })
}

fn read(command: &mut Command) -> Result<String> {
    let output = run(command)?;
    if !output.status.success() {
        let words: Vec<_> = command.get_args().skip(2).map(OsStr::to_string_lossy).collect();
        bail!("git {}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8(output.stdout)?.trim_end_matches('\n').to_owned())
}
