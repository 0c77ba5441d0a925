//! `lesson.toml`.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::marker::PhantomData;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use crate::{Exempt, Guard, Item, Lesson, body};

/// The tiers a lesson may need; `testkit` tells whether this machine has them.
const TIERS: [&str; 6] = ["userns", "ids", "cgroup", "root", "strace", "engine"];

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    title: String,
    #[serde(default)]
    learns: String,
    minutes: u32,
    stars: u32,
    #[serde(default)]
    needs: Vec<String>,
    #[serde(default)]
    private: Vec<String>,
    #[serde(default)]
    items: InOrder<String>,
    #[serde(default)]
    guards: InOrder<WrongBody>,
    #[serde(default)]
    exempt: InOrder<OneOrMore<Exemption>>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct WrongBody {
    item: String,
    body: String,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Exemption {
    runtime: OneOrMore<String>,
    before: Option<String>,
    reason: String,
}

/// `x = 1` or `x = [1, 2]`; `[exempt.x]`, or `[[exempt.x]]` more than once.
#[derive(serde::Deserialize)]
#[serde(untagged, expecting = "neither one nor a list of them, with the fields they have")]
enum OneOrMore<T> {
    One(T),
    More(Vec<T>),
}

impl<T> OneOrMore<T> {
    fn all(self) -> Vec<T> {
        match self {
            Self::One(one) => vec![one],
            Self::More(more) => more,
        }
    }
}

/// A table whose keys keep the order of the file.
struct InOrder<T>(Vec<(String, T)>);

impl<T> Default for InOrder<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for InOrder<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Pairs<T> {
            type Value = InOrder<T>;
            fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
                formatter.write_str("a table")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<InOrder<T>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(InOrder(pairs))
            }
        }
        deserializer.deserialize_map(Pairs(PhantomData))
    }
}

/// Every lesson below `root/lessons`, drafts among them, in the order of their numbers.
pub(crate) fn load(root: &Path) -> Result<Vec<Lesson>> {
    let folder = root.join("lessons");
    let mut lessons = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
        let dir = entry?.path();
        let name = dir.file_name().unwrap_or_default().to_string_lossy();
        let Some((number, slug)) = numbered(&name) else { continue };
        let file = dir.join("lesson.toml");
        let text = fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        let place = || format!("{}", file.display());
        lessons.push(lesson(number, slug, &dir, &text).with_context(place)?);
    }
    lessons.sort_by_key(|lesson| lesson.number);
    validate(&lessons)?;
    Ok(lessons)
}

/// The number and the slug of a lesson's folder; `None` for any other name.
fn numbered(folder: &str) -> Option<(u32, &str)> {
    let (number, slug) = folder.split_once('-')?;
    let digits = number.len() == 2 && number.bytes().all(|byte| byte.is_ascii_digit());
    (digits && !slug.is_empty()).then(|| Some((number.parse().ok()?, slug)))?
}

fn lesson(number: u32, slug: &str, dir: &Path, text: &str) -> Result<Lesson> {
    let manifest: Manifest = toml::from_str(text)?;
    ensure!((1..=3).contains(&manifest.stars), "stars = {}: one to three", manifest.stars);
    for tier in &manifest.needs {
        ensure!(TIERS.contains(&tier.as_str()), "needs = {tier:?}: the tiers are {}", TIERS.join(", "));
    }
    let mut items = Vec::new();
    for (path, neutral) in manifest.items.0 {
        body::check_body(&neutral).with_context(|| format!("item {path}"))?;
        items.push(Item { path, neutral });
    }
    let mut guards = Vec::new();
    for (test, WrongBody { item, body }) in manifest.guards.0 {
        body::check_body(&body).with_context(|| format!("guard {test}"))?;
        guards.push(Guard { test, item, body });
    }
    let mut exempt = Vec::new();
    for (test, exemptions) in manifest.exempt.0 {
        for Exemption { runtime, before, reason } in exemptions.all() {
            let one = |runtime| Exempt {
                test: test.clone(),
                runtime,
                before: before.clone(),
                reason: reason.clone(),
            };
            exempt.extend(runtime.all().into_iter().map(one));
        }
    }
    Ok(Lesson {
        number,
        slug: slug.to_owned(),
        dir: dir.to_path_buf(),
        title: manifest.title,
        learns: manifest.learns,
        minutes: manifest.minutes,
        stars: manifest.stars,
        needs: manifest.needs,
        items,
        private: manifest.private,
        guards,
        exempt,
    })
}

/// What holds between the manifests.
fn validate(lessons: &[Lesson]) -> Result<()> {
    let mut owners: BTreeMap<&str, u32> = BTreeMap::new();
    for pair in lessons.windows(2) {
        ensure!(pair[0].number != pair[1].number, "two folders are lesson {:02}", pair[0].number);
    }
    for lesson in lessons {
        let file = lesson.dir.join("lesson.toml");
        for path in lesson.items.iter().map(|item| &item.path).chain(&lesson.private) {
            if let Some(other) = owners.insert(path, lesson.number) {
                bail!("{}: {path} belongs to lesson {other:02} already", file.display());
            }
        }
        for guard in &lesson.guards {
            let known = lessons.iter().filter(|other| other.number <= lesson.number);
            if !known.flat_map(|other| &other.items).any(|item| item.path == guard.item) {
                bail!(
                    "{}: guard {} names {}, which is no item of this lesson or an earlier one",
                    file.display(),
                    guard.test,
                    guard.item
                );
            }
        }
    }
    Ok(())
}
