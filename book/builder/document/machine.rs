//! The state machine of `ns-runtime`, drawn from the table in its source: the book does not depend on that crate.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, bail, ensure};
use syn::{Expr, Item, UseTree};

use crate::{Book, show, testlist};

/// Where the table is.
const SOURCE: &str = "crates/ns-runtime/src/machine.rs";

/// What no command does: from one state to another.
pub(super) const EVENT: (&str, &str, &str) = ("running", "stopped", "its PID 1 ends");

/// The machine, by the words that people use.
pub(super) struct Machine {
    /// Each state, with what the source says of it.
    pub(super) states: Vec<(String, String)>,
    commands: Vec<String>,
    /// For each state, what each command does.
    table: Vec<Vec<Outcome>>,
}

#[derive(Clone, Debug, PartialEq)]
enum Outcome {
    Becomes(usize),
    Stays,
    Refused(String),
}

/// The diagram, and below it the whole table.
pub(crate) fn show(book: &Book<'_>) -> Result<String> {
    let path = book.course.root.join(SOURCE);
    let text = fs::read_to_string(&path).with_context(|| format!("no {SOURCE}"))?;
    let machine = read(&text).with_context(|| SOURCE.to_string())?;
    Ok(show::figure(&machine.svg()?, "machine", "")? + "\n" + &machine.html())
}

/// Reads the table out of the source.
fn read(source: &str) -> Result<Machine> {
    let file = syn::parse_file(source)?;
    let mut names = BTreeMap::new();
    let mut texts = BTreeMap::new();
    let mut enums = BTreeMap::new();
    let mut rows = None;
    for item in &file.items {
        match item {
            Item::Use(import) => renamed(&import.tree, &mut names),
            Item::Enum(found) => {
                let variants = found.variants.iter();
                let variants =
                    variants.map(|variant| (variant.ident.to_string(), testlist::docs(&variant.attrs)));
                enums.insert(found.ident.to_string(), variants.collect::<Vec<_>>());
            }
            Item::Const(found) if found.ident == "TABLE" => rows = Some(&*found.expr),
            Item::Const(found) => {
                if let Some(text) = string(&found.expr) {
                    texts.insert(found.ident.to_string(), text);
                }
            }
            _ => {}
        }
    }
    let states = enums.remove("State").context("no enum State")?;
    let commands = enums.remove("Command").context("no enum Command")?;
    let Some(Expr::Array(rows)) = rows else { bail!("no const TABLE that is an array") };
    let word = |expr: &Expr| {
        let name = name(expr).with_context(|| "a name expected in TABLE".to_string())?;
        Ok::<_, anyhow::Error>(names.get(&name).cloned().unwrap_or(name))
    };
    let nth = |list: &[(String, String)], name: &str| {
        list.iter()
            .position(|(other, _)| other == name)
            .with_context(|| format!("{name} is none of the enum"))
    };
    let mut table = vec![vec![None; commands.len()]; states.len()];
    for row in &rows.elems {
        let Expr::Tuple(row) = row else { bail!("a row of TABLE is no tuple") };
        let [state, command, outcome] = [0, 1, 2].map(|nth| row.elems.get(nth));
        let (Some(state), Some(command), Some(outcome)) = (state, command, outcome) else {
            bail!("a row of TABLE is no tuple of three")
        };
        let outcome = match outcome {
            Expr::Call(call) => {
                let argument = call.args.first().context("an outcome without its argument")?;
                match name(&call.func).as_deref() {
                    Some("Becomes") => Outcome::Becomes(nth(&states, &word(argument)?)?),
                    Some("Refused") => {
                        let named = || texts.get(&name(argument)?).cloned();
                        Outcome::Refused(
                            string(argument).or_else(named).context("a refusal without its text")?,
                        )
                    }
                    other => bail!("the outcome {other:?} is unknown"),
                }
            }
            other => {
                ensure!(name(other).as_deref() == Some("Stays"), "the outcome {:?} is unknown", name(other));
                Outcome::Stays
            }
        };
        let cell = &mut table[nth(&states, &word(state)?)?][nth(&commands, &word(command)?)?];
        ensure!(cell.replace(outcome).is_none(), "TABLE says one thing twice");
    }
    let table =
        table.into_iter().map(|row| row.into_iter().collect::<Option<Vec<_>>>()).collect::<Option<_>>();
    let small = |(name, docs): (String, String)| (name.to_lowercase(), docs);
    Ok(Machine {
        states: states.into_iter().map(small).collect(),
        commands: commands.into_iter().map(|(name, _)| name.to_lowercase()).collect(),
        table: table.context("TABLE does not say what every command does in every state")?,
    })
}

/// The names that `use ... as ...` makes, each with what it stands for.
fn renamed(tree: &UseTree, names: &mut BTreeMap<String, String>) {
    match tree {
        UseTree::Path(path) => renamed(&path.tree, names),
        UseTree::Group(group) => group.items.iter().for_each(|tree| renamed(tree, names)),
        UseTree::Rename(one) => drop(names.insert(one.rename.to_string(), one.ident.to_string())),
        UseTree::Name(_) | UseTree::Glob(_) => {}
    }
}

fn name(expr: &Expr) -> Option<String> {
    let Expr::Path(path) = expr else { return None };
    Some(path.path.segments.last()?.ident.to_string())
}

fn string(expr: &Expr) -> Option<String> {
    let Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = expr else { return None };
    Some(text.value())
}

impl Machine {
    /// The arrows: from, to, and by which commands. Those of the event are none of a command's.
    pub(super) fn arrows(&self) -> Vec<(usize, usize, String)> {
        let mut arrows: Vec<(usize, usize, String)> = Vec::new();
        for (from, row) in self.table.iter().enumerate() {
            for (command, outcome) in self.commands.iter().zip(row) {
                let Outcome::Becomes(to) = outcome else { continue };
                match arrows.iter_mut().find(|(a, b, _)| (*a, b) == (from, &*to)) {
                    Some((.., by)) => *by += &format!(", {command}"),
                    None => arrows.push((from, *to, command.clone())),
                }
            }
        }
        arrows
    }

    pub(super) fn event(&self) -> Result<(usize, usize)> {
        let state = |word| self.states.iter().position(|(state, _)| state == word);
        state(EVENT.0).zip(state(EVENT.1)).context("no states running and stopped for the end of a program")
    }

    /// The commands that leave a state as it is.
    pub(super) fn stays(&self, state: usize) -> String {
        let row = self.commands.iter().zip(&self.table[state]);
        let stay: Vec<_> =
            row.filter(|(_, outcome)| **outcome == Outcome::Stays).map(|(word, _)| word.as_str()).collect();
        stay.join(", ")
    }

    /// The whole table, the refusals' words below it.
    fn html(&self) -> String {
        let mut refusals: Vec<&str> = Vec::new();
        let mut text = String::from("<table class=\"rows machine\">\n<thead><tr><th>In state</th>");
        for command in &self.commands {
            text += &format!("<th><code>{command}</code></th>");
        }
        text += "</tr></thead>\n<tbody>\n";
        for ((state, _), row) in self.states.iter().zip(&self.table) {
            text += &format!("<tr><th scope=\"row\">{state}</th>");
            for (command, outcome) in self.commands.iter().zip(row) {
                let cell = match outcome {
                    Outcome::Becomes(to) => {
                        format!("<span class=\"good\">becomes {}</span>", self.states[*to].0)
                    }
                    Outcome::Stays => "stays".into(),
                    Outcome::Refused(words) => {
                        let nth = refusals.iter().position(|other| other == words).unwrap_or_else(|| {
                            refusals.push(words);
                            refusals.len() - 1
                        });
                        format!("<span class=\"bad\">refused</span><sup>{}</sup>", nth + 1)
                    }
                };
                text += &format!("<td data-is=\"{command}\">{cell}</td>");
            }
            text += "</tr>\n";
        }
        text += "</tbody>\n</table>\n\nWhat a refusal says, and its cure:\n\n";
        for (nth, words) in refusals.iter().enumerate() {
            text += &format!("{}. {}\n", nth + 1, show::escape(words));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::{Outcome, read};

    const SOURCE: &str = r#"
        use Command::{Go, State as Ask};
        pub enum State { /** None. */ Unknown, Running, Stopped }
        pub enum Command { Go, State }
        const ONCE: &str = "only once";
        pub const TABLE: [(State, Command, Outcome); 6] = [
            (Unknown, Go, Becomes(Running)), (Unknown, Ask, Refused("there is none")),
            (Running, Go, Refused(ONCE)), (Running, Ask, Stays),
            (Stopped, Go, Refused(ONCE)), (Stopped, Ask, Stays),
        ];"#;

    #[test]
    fn the_table_is_read_from_the_source() {
        let machine = read(SOURCE).expect("a machine");
        assert_eq!(machine.states[0], ("unknown".to_string(), "None.".to_string()));
        assert_eq!(machine.table[0][0], Outcome::Becomes(1));
        assert_eq!(machine.table[2][0], Outcome::Refused("only once".into()));
        let svg = machine.svg().expect("a drawing");
        assert!(svg.contains("go leads from unknown to running; and without a command"), "{svg}");
        assert!(svg.contains("no change: state"), "{svg}");
        let html = machine.html();
        assert!(html.contains("becomes running") && html.contains("2. only once"), "{html}");
    }

    #[test]
    fn a_table_with_a_hole_or_with_two_answers_is_refused() {
        let wrong =
            |old: &str, new: &str| read(&SOURCE.replace(old, new)).err().expect("an error").to_string();
        assert!(wrong("(Stopped, Ask, Stays),", "").contains("every command does in every state"));
        assert!(wrong("(Stopped, Ask, Stays)", "(Running, Ask, Stays)").contains("twice"));
        assert!(wrong("(Running, Ask, Stays)", "(Running, Ask, Vanishes)").contains("Vanishes"));
    }
}
