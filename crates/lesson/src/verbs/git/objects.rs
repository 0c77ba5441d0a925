//! Reading and writing git's objects. Neither the work tree nor the learner's index takes part: an index of our own
//! lives in a scratch folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use course::{Course, Tree};
use tempfile::TempDir;

use super::{BACKUP, Git, SOURCE, read};

/// A file of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::verbs) struct Entry {
    /// As git writes it: `100644`.
    pub(in crate::verbs) mode: String,
    /// The name of the blob.
    pub(in crate::verbs) object: String,
}

impl Entry {
    pub(in crate::verbs) fn is_file(&self) -> bool {
        self.mode.starts_with("100")
    }
}

/// What a path becomes; `None` takes it away.
pub(in crate::verbs) type Change = (String, Option<Entry>);

impl Git {
    /// Every file of a commit by its path.
    pub(in crate::verbs) fn files(&self, commit: &str) -> Result<BTreeMap<String, Entry>> {
        let list = self.read(&["ls-tree", "-r", "-z", commit])?;
        // Each: "<mode> <kind> <object>\t<path>".
        let files = list.split('\0').filter_map(|line| {
            let (head, path) = line.split_once('\t')?;
            let mut words = head.split(' ');
            let entry = Entry { mode: words.next()?.to_owned(), object: words.nth(1)?.to_owned() };
            Some((path.to_owned(), entry))
        });
        Ok(files.collect())
    }

    /// The bytes of these blobs, in their order.
    pub(in crate::verbs) fn contents(&self, objects: &[&str]) -> Result<Vec<Vec<u8>>> {
        let request: String = objects.iter().map(|object| format!("{object}\n")).collect();
        let answer = Self::feed(self.command().args(["cat-file", "--batch"]), request.as_bytes())?;
        let mut rest = answer.as_slice();
        let mut contents = Vec::new();
        for object in objects {
            // Each answer: "<object> blob <size>", a newline, the bytes, a newline.
            let line = rest.iter().position(|byte| *byte == b'\n').context("git cat-file ended early")?;
            let size = std::str::from_utf8(&rest[..line])?.rsplit(' ').next().unwrap_or_default();
            let size: usize = size.parse().with_context(|| format!("git has no object {object}"))?;
            let bytes = rest.get(line + 1..line + 1 + size).context("git cat-file ended early")?;
            contents.push(bytes.to_vec());
            rest = rest.get(line + 2 + size..).unwrap_or_default();
        }
        Ok(contents)
    }

    /// The files of a commit that `wanted` chooses by their path.
    fn texts(&self, commit: &str, wanted: impl Fn(&str) -> bool) -> Result<Vec<(String, String)>> {
        let mut files = self.files(commit)?;
        files.retain(|path, entry| entry.is_file() && wanted(path));
        let objects: Vec<&str> = files.values().map(|entry| entry.object.as_str()).collect();
        let texts = files.keys().zip(self.contents(&objects)?).map(|(path, bytes)| {
            let text = String::from_utf8(bytes).with_context(|| format!("{path} in {commit}"))?;
            Ok((path.clone(), text))
        });
        texts.collect()
    }

    /// The runtime's sources as they are in `commit`.
    pub(in crate::verbs) fn tree(&self, commit: &str) -> Result<Tree> {
        let mut tree = Tree::default();
        for (path, text) in self.texts(commit, is_source)? {
            tree.files.insert(Path::new(&path).strip_prefix(SOURCE)?.to_path_buf(), text);
        }
        Ok(tree)
    }

    /// The course as it is in `commit`. Its folders are gone when this returns: only the manifests are of use.
    pub(in crate::verbs) fn course(&self, commit: &str) -> Result<Course> {
        let scratch = scratch()?;
        fs::create_dir(scratch.path().join("lessons"))?;
        let wanted = |path: &str| {
            let name = path.strip_prefix("lessons/").and_then(|path| path.split_once('/'));
            matches!(name, Some((_, "lesson.toml" | "tests.rs")))
        };
        for (path, text) in self.texts(commit, wanted)? {
            let path = scratch.path().join(path);
            fs::create_dir_all(path.parent().context("a file without a folder")?)?;
            fs::write(path, text)?;
        }
        Course::load(scratch.path())
    }

    /// Keeps a text as a blob.
    pub(in crate::verbs) fn store(&self, bytes: &[u8]) -> Result<Entry> {
        let object = Self::feed(self.command().args(["hash-object", "-w", "--stdin"]), bytes)?;
        Ok(Entry { mode: "100644".to_owned(), object: String::from_utf8(object)?.trim().to_owned() })
    }

    /// What turns the sources `from` into `to`.
    pub(in crate::verbs) fn changes(&self, from: &Tree, to: &Tree) -> Result<Vec<Change>> {
        let path = |file: &Path| format!("{SOURCE}/{}", file.display());
        let mut changes = Vec::new();
        for (file, text) in to.files.iter().filter(|(file, text)| from.files.get(*file) != Some(text)) {
            changes.push((path(file), Some(self.store(text.as_bytes())?)));
        }
        let gone = from.files.keys().filter(|file| !to.files.contains_key(*file));
        changes.extend(gone.map(|file| (path(file), None)));
        Ok(changes)
    }

    /// Makes a commit: that of the first parent with these changes. No branch moves.
    pub(in crate::verbs) fn commit_with(
        &self,
        parents: &[&str],
        changes: &[Change],
        message: &str,
    ) -> Result<String> {
        let scratch = scratch()?;
        let index = scratch.path().join("index");
        let first = parents.first().context("a commit without a parent")?;
        read(self.command().env("GIT_INDEX_FILE", &index).args(["read-tree", first]))?;
        let lines = changes.iter().map(|(path, entry)| match entry {
            Some(Entry { mode, object }) => format!("{mode} {object}\t{path}\0"),
            None => format!("0 {}\t{path}\0", "0".repeat(first.len())),
        });
        let mut update = self.command();
        update.env("GIT_INDEX_FILE", &index).args(["update-index", "-z", "--index-info"]);
        Self::feed(&mut update, lines.collect::<String>().as_bytes())?;
        self.commit_index(&index, parents, message)
    }

    /// Keeps the whole work tree as it is now, in a commit of its own. Returns the ref that holds it.
    pub(in crate::verbs) fn backup(&self, before: &str) -> Result<String> {
        let scratch = scratch()?;
        let index = scratch.path().join("index");
        read(self.command().env("GIT_INDEX_FILE", &index).args(["read-tree", "HEAD"]))?;
        read(self.command().env("GIT_INDEX_FILE", &index).args(["add", "--all"]))?;
        let head = self.commit("HEAD").context("HEAD is gone")?;
        let commit = self.commit_index(&index, &[&head], &format!("Before cargo lesson {before}\n"))?;
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

    fn commit_index(&self, index: &Path, parents: &[&str], message: &str) -> Result<String> {
        let tree = read(self.command().env("GIT_INDEX_FILE", index).args(["write-tree"]))?;
        let mut command = self.command();
        if !self.knows_who() {
            command.args(["-c", "user.name=Coracle learner", "-c", "user.email=learner@localhost"]);
        }
        command.args(["commit-tree", &tree, "-m", message.trim_end()]);
        read(command.args(parents.iter().flat_map(|parent| ["-p", parent])))
    }

    /// Merges three texts line by line. `None` where both sides changed the same lines and `prefer` (`--ours`,
    /// `--theirs`) does not say whose count, or where they are no texts.
    pub(in crate::verbs) fn merge_texts(
        &self,
        [base, mine, theirs]: [&[u8]; 3],
        prefer: Option<&str>,
    ) -> Result<Option<Vec<u8>>> {
        let scratch = scratch()?;
        let mut command = self.command();
        command.args(["merge-file", "--stdout", "--quiet"]).args(prefer);
        for (name, bytes) in [("mine", mine), ("base", base), ("theirs", theirs)] {
            let path = scratch.path().join(name);
            fs::write(&path, bytes)?;
            command.arg(path);
        }
        let output = super::run(&mut command)?;
        // The number of conflicts; 255 for what is no text.
        match output.status.code() {
            Some(0) => Ok(Some(output.stdout)),
            Some(_) => Ok(None),
            None => bail!("git merge-file: {}", output.status),
        }
    }
}

fn is_source(path: &str) -> bool {
    path.strip_prefix(SOURCE).is_some_and(|rest| rest.starts_with('/') && rest.ends_with(".rs"))
}

fn scratch() -> Result<TempDir> {
    tempfile::tempdir().context("making a scratch folder")
}
