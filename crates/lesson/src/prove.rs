//! `cargo lesson prove`: every lesson red before, green after.
//!
//! The prover builds variants of the runtime (each lesson's starter, the finished runtime with one item blank, the
//! wrong bodies that guards name), runs the lessons' tests on them, and judges the verdicts:
//!
//! 1. a lesson's starter builds without a warning, and the lessons before it are green on it;
//! 2. each red test fails there by an assertion of its own; each guard fails on the wrong body it names;
//! 3. the next lesson's starter turns the lesson green;
//! 4. blanking any one item of the finished runtime makes a test of its lesson fail;
//! 5. the tests pass on runc, where it is installed, or carry an exemption with its reason;
//! 6. the cut: every starter, with the items of drafts blank as well, builds without a warning, and `coracle sandbox`
//!    runs a program on it; so does the finished runtime without any single item of a draft.
//!
//! Everything is kept below `target/prove`: the copies of the workspace that the variants are built in (two, where there are
//! processors for two builds), and the cache of builds and verdicts, so that a second proof runs only what a change touched.

mod cut;
mod evidence;
mod judge;
mod matrix;
mod run;
mod workshop;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use course::{Course, Tree, cut, snapshot};

use evidence::{Evidence, Outcome, Ran, Variant, next};
use matrix::Matrix;
use run::Programs;
use workshop::{Binary, Workshop};

use crate::runtime::{self, Runtime};

/// A lesson's tests may take this long, so that about a hundred knock-outs fit into a run of CI.
const PATIENCE: Duration = Duration::from_secs(5);

/// Proves `lessons` and drafts (all of them where empty) and prints the matrix. A full proof also writes
/// `target/prove/matrix.json`.
///
/// # Errors
/// Fails where a lesson has a defect; each is printed. Fails as well where there is nothing to prove: on a tree whose
/// runtime is not finished, or where the lessons' tests do not build.
pub fn run(course: &Course, lessons: &[u32]) -> Result<()> {
    let chosen = choose(course, lessons)?;
    finished(course)?;
    let start = Instant::now();
    println!("Building the lessons' tests ...");
    let mut proof = Proof::open(course)?;
    let reference = proof.reference.clone();
    let cut = std::thread::scope(|scope| {
        proof.build(&Variant::Reference)?;
        let plan = plan(course, &chosen, &proof.programs);
        let variants = plan.iter().map(|(variant, _)| variant.clone()).chain(cut::variants(course, &chosen));
        let last_first = variants.collect::<Vec<_>>().into_iter().rev();
        let trees = last_first.map(|variant| sources(course, &reference, &variant));
        // Two builds at once need two processors.
        let processors = std::thread::available_parallelism().map_or(1, |number| number.get());
        let _stop = (processors > 1).then(|| proof.workshop.build_ahead(scope, course, trees));
        for (variant, of) in plan {
            proof.show(&variant, &of)?;
        }
        proof.pinpoint()?;
        proof.oracle(&chosen)?;
        proof.cut(&chosen)
    })?;

    let strict = std::env::var("CORACLE_STRICT").is_ok_and(|value| value == "1");
    let judgement = judge::judge(course, &chosen, &proof.evidence, strict);
    let rows = course.lessons.iter().filter(|lesson| chosen.contains(&lesson.number));
    let matrix = Matrix::new(course, rows, &proof.evidence, &judgement);
    if lessons.is_empty() {
        let file = proof.workshop.folder().join("matrix.json");
        std::fs::write(&file, serde_json::to_vec_pretty(&matrix)?)
            .with_context(|| format!("writing {}", file.display()))?;
        proof.workshop.prune()?;
    }

    print!("{}", matrix.text());
    println!(
        "\n  x = fails without the item, . = stays green, ! = fails but sees nothing, ? = not known, - = not run"
    );
    for note in judgement.notes.iter().chain(&proof.slow) {
        println!("\nnote: {note}");
    }
    for defect in &judgement.defects {
        println!("\ndefect: {defect}");
    }
    println!("\n{cut}");
    let (lessons, tests, items) = matrix.counts();
    match judgement.defects.len() {
        0 => {
            let seconds = start.elapsed().as_secs();
            println!("proved: {lessons} lessons, {tests} tests, {items} items in {seconds} s");
            Ok(())
        }
        1 => bail!("not proved: 1 defect"),
        some => bail!("not proved: {some} defects"),
    }
}

fn choose(course: &Course, lessons: &[u32]) -> Result<BTreeSet<u32>> {
    if lessons.is_empty() {
        return Ok(course.with_drafts().iter().map(|lesson| lesson.number).collect());
    }
    let is_draft = |number: &&u32| course.drafts.iter().any(|draft| draft.number == **number);
    let (drafts, lessons): (Vec<&u32>, Vec<&u32>) = lessons.iter().partition(is_draft);
    let lessons = lessons.into_iter().map(|number| Ok(course.lesson(*number)?.number));
    lessons.chain(drafts.into_iter().map(|number| Ok(*number))).collect()
}

/// Only a finished runtime can be taken apart.
fn finished(course: &Course) -> Result<()> {
    let open = course.open_items()?;
    let Some((lesson, item)) = open.first() else {
        return Ok(());
    };
    bail!(
        "prove works on the reference, the finished runtime, but {} of this tree's items are open, first `{}` of lesson \
         {:02}. Prove the reference in a folder of its own:\n  git worktree add ../coracle-reference {}\n  \
         cd ../coracle-reference && cargo lesson prove",
        open.len(),
        item.path,
        lesson.number,
        "refs/coracle/base"
    )
}

/// Which lessons' tests are to be run on which variant.
fn plan(course: &Course, chosen: &BTreeSet<u32>, programs: &Programs) -> Vec<(Variant, BTreeSet<u32>)> {
    let numbers = course.lessons.iter().map(|lesson| lesson.number);
    let last = numbers.filter(|number| chosen.contains(number)).max().unwrap_or_default();
    let tested = |upto: u32| programs.tests.keys().copied().filter(move |number| *number <= upto);
    let mut starters: BTreeMap<Variant, BTreeSet<u32>> = BTreeMap::new();
    starters.insert(Variant::Reference, tested(last).collect());
    let mut rest = Vec::new();
    for lesson in course.lessons.iter().filter(|lesson| chosen.contains(&lesson.number)) {
        let number = lesson.number;
        starters.entry(Variant::Snapshot(number)).or_default().extend(tested(number));
        starters
            .entry(next(course, number))
            .or_default()
            .extend(tested(number).filter(|tested| *tested == number));
        for item in &lesson.items {
            rest.push((Variant::Without(item.path.clone()), BTreeSet::from([number])));
        }
        for guard in &lesson.guards {
            rest.push((
                Variant::Wrong { lesson: number, test: guard.test.clone() },
                BTreeSet::from([number]),
            ));
        }
    }
    starters.into_iter().chain(rest).collect()
}

/// A proof under way.
struct Proof<'a> {
    course: &'a Course,
    reference: Tree,
    programs: Programs,
    workshop: Workshop,
    evidence: Evidence,
    slow: Vec<String>,
}

impl<'a> Proof<'a> {
    fn open(course: &'a Course) -> Result<Self> {
        let programs = Programs::build(course)?;
        let evidence = Evidence { programs: programs.tests.keys().copied().collect(), ..Evidence::default() };
        Ok(Self {
            course,
            reference: Tree::read(&course.source())?,
            programs,
            workshop: Workshop::open(course)?,
            evidence,
            slow: Vec::new(),
        })
    }

    /// Builds a variant and runs the tests of these lessons on it.
    fn show(&mut self, variant: &Variant, lessons: &BTreeSet<u32>) -> Result<()> {
        if let Some(binary) = self.build(variant)? {
            for lesson in lessons {
                self.test(variant, *lesson, &binary)?;
            }
        }
        Ok(())
    }

    /// Builds a variant; `None` where it does not compile.
    fn build(&mut self, variant: &Variant) -> Result<Option<Binary>> {
        let tree = sources(self.course, &self.reference, variant)?;
        let built = self.workshop.build(self.course, &tree)?;
        let word = if built.binary.is_some() { "builds" } else { "does not compile" };
        println!("{variant} {word} ({})", seconds(built.took));
        self.evidence.builds.insert(variant.clone(), built.build);
        Ok(built.binary)
    }

    fn test(&mut self, variant: &Variant, lesson: u32, binary: &Binary) -> Result<()> {
        let key = (variant.clone(), lesson);
        if self.evidence.runs.contains_key(&key) || !self.programs.tests.contains_key(&lesson) {
            return Ok(());
        }
        let only = match variant {
            Variant::Wrong { test, .. } => Some(test.as_str()),
            _ => None,
        };
        let (ran, took) = self.programs.run(&mut self.workshop, lesson, only, binary)?;
        report(lesson, &ran, took);
        if let (Variant::Reference, Some(took)) = (variant, took)
            && took > PATIENCE
        {
            self.slow.push(format!(
                "lesson {lesson:02}: its tests took {:.1} s; {} s or less keep a proof short",
                took.as_secs_f32(),
                PATIENCE.as_secs()
            ));
        }
        self.evidence.runs.insert(key, ran);
        Ok(())
    }

    /// Finds the later items that an impatient test needs: those without which it is red in the finished runtime.
    fn pinpoint(&mut self) -> Result<()> {
        let numbers: Vec<u32> = self.evidence.programs.iter().copied().collect();
        for number in numbers {
            let impatient = self.evidence.impatient(self.course, number);
            if impatient.is_empty() {
                continue;
            }
            let later = self.course.lessons.iter().filter(|lesson| lesson.number > number);
            for item in later.flat_map(|lesson| &lesson.items) {
                let without = Variant::Without(item.path.clone());
                self.show(&without, &BTreeSet::from([number]))?;
                for test in &impatient {
                    let verdict = self.evidence.verdict(&without, number, test);
                    if verdict.is_some_and(|verdict| verdict.verdict == Outcome::Fail) {
                        let needs = self.evidence.needs.entry((number, test.clone())).or_default();
                        needs.push(item.path.clone());
                    }
                }
            }
        }
        Ok(())
    }

    /// Holds the tests against the runtime of the field, where it is installed.
    fn oracle(&mut self, chosen: &BTreeSet<u32>) -> Result<()> {
        let Some(runtime) = runtime::installed(judge::RUNTIME).and_then(|path| Runtime::ask(&path).ok())
        else {
            return Ok(());
        };
        println!("{} ({})", runtime.line, runtime.path.display());
        let binary = Binary::of(&runtime.path)?;
        self.evidence.oracle = Some(runtime);
        for lesson in chosen {
            self.test(&Variant::Oracle, *lesson, &binary)?;
        }
        Ok(())
    }
}

/// The sources of a variant.
fn sources(course: &Course, reference: &Tree, variant: &Variant) -> Result<Tree> {
    let mut tree = reference.clone();
    match variant {
        Variant::Reference | Variant::Oracle => {}
        Variant::Snapshot(lesson) => tree = snapshot(course, reference, *lesson)?,
        Variant::Cut(lesson) => tree = cut(course, reference, *lesson)?,
        Variant::Without(path) => {
            for lesson in course.with_drafts() {
                if let Some(item) = lesson.items.iter().find(|item| item.path == *path) {
                    lesson.blank(&mut tree, item)?;
                }
            }
            tree.set_allow(true);
        }
        Variant::Wrong { lesson, test } => {
            let guards = &course.lesson(*lesson)?.guards;
            for guard in guards.iter().filter(|guard| guard.test == *test) {
                tree.set_body(&guard.item, &guard.body, None)?;
            }
            tree.set_allow(true);
        }
    }
    Ok(tree)
}

fn report(lesson: u32, ran: &Ran, took: Option<Duration>) {
    match ran {
        Err(broke) => println!("  lesson {lesson:02}: broke: {broke}"),
        Ok(verdicts) => {
            let count = |outcome| verdicts.values().filter(|verdict| verdict.verdict == outcome).count();
            let [green, red, ignored] = [Outcome::Pass, Outcome::Fail, Outcome::Ignored].map(count);
            let ignored = if ignored == 0 { String::new() } else { format!(", {ignored} ignored") };
            println!("  lesson {lesson:02}: {green} green, {red} red{ignored} ({})", seconds(took));
        }
    }
}

fn seconds(took: Option<Duration>) -> String {
    took.map_or("known".to_owned(), |took| format!("{:.1} s", took.as_secs_f32()))
}
