//! Builds: every variant compiles, every starter and every knock-out of a draft without a warning.

use std::collections::BTreeMap;

use super::{Case, Judgement};
use crate::prove::evidence::{Build, Diagnostic, Variant};

/// The same complaint of the compiler, wherever blanking moved its line to.
type Complaint<'a> = (bool, &'a str, Option<&'a str>, &'a str);

pub(super) fn judge(case: &Case<'_>, found: &mut Judgement) {
    let mut complaints: BTreeMap<Complaint<'_>, Vec<(&Variant, &Diagnostic)>> = BTreeMap::new();
    for (variant, build) in &case.evidence.builds {
        let (broken, diagnostics) = match build {
            Build::Broken { errors } => (true, errors),
            Build::Built { warnings } if case.must_not_warn(variant) => (false, warnings),
            Build::Built { .. } => continue,
        };
        // What follows the first errors is mostly their echo.
        for diagnostic in diagnostics.iter().take(3) {
            let file = diagnostic.place.rsplit_once(':').map_or("", |(file, _)| file);
            let key = (broken, diagnostic.message.as_str(), diagnostic.item.as_deref(), file);
            complaints.entry(key).or_default().push((variant, diagnostic));
        }
    }
    for ((broken, ..), places) in complaints {
        complain(case, broken, &places, found);
    }
}

fn complain(case: &Case<'_>, broken: bool, places: &[(&Variant, &Diagnostic)], found: &mut Judgement) {
    let (variant, diagnostic) = places[0];
    let place = match diagnostic.place.as_str() {
        "" => String::new(),
        place => format!(" at {place}"),
    };
    let said = format!("{}{place}", diagnostic.message);
    let seen = variants(places);
    let title = if broken { "does not compile" } else { "warning" };

    let blank = diagnostic.item.as_deref().filter(|item| places.iter().any(|(on, _)| case.blanks(on, item)));
    match (blank, variant) {
        (Some(item), _) => {
            let owner = case.owner(item).unwrap_or_default();
            let verb = if broken { "does not compile" } else { "warns" };
            found.defect(
                owner,
                format!(
                    "{title}: the neutral body of `{item}` {verb} on {seen}: {said}. Mend it in {}: it must fit \
                     the signature and may use only what the starter has",
                    case.manifest(owner)
                ),
            );
        }
        (None, Variant::Wrong { lesson, test }) => {
            found.defect(
                *lesson,
                format!(
                    "{title}: the wrong body that guard `{test}` names in {} does not compile: {said}",
                    case.manifest(*lesson)
                ),
            );
        }
        (None, Variant::Without(item)) => {
            found.defect(
                case.owner(item).unwrap_or_default(),
                format!("{title}: the finished runtime without `{item}` does not build: {said}"),
            );
        }
        (None, _) => {
            let lesson = match variant {
                Variant::Snapshot(lesson) | Variant::Cut(lesson) => *lesson,
                _ => diagnostic.item.as_deref().and_then(|item| case.owner(item)).unwrap_or_default(),
            };
            let advice = match (variant, broken) {
                (Variant::Snapshot(_) | Variant::Cut(_), true) => {
                    ". It is no blank body: something that stays uses what the starter lacks, a private helper of \
                     this lesson or a later one, perhaps"
                }
                _ => "",
            };
            found.defect(lesson, format!("{title}: {seen}: {said}{advice}"));
        }
    }
}

fn variants(places: &[(&Variant, &Diagnostic)]) -> String {
    let names: Vec<String> = places.iter().map(|(variant, _)| variant.to_string()).collect();
    match names.as_slice() {
        [first, second, rest @ ..] if !rest.is_empty() => {
            format!("{first}, {second} and {} more", rest.len())
        }
        names => names.join(" and "),
    }
}

impl Case<'_> {
    /// A lesson's knock-outs are judged by its tests. A draft has none yet, so the compiler's word counts.
    fn must_not_warn(&self, variant: &Variant) -> bool {
        match variant {
            Variant::Snapshot(_) | Variant::Cut(_) | Variant::Reference => true,
            Variant::Without(path) => {
                self.course.drafts.iter().flat_map(|draft| &draft.items).any(|item| item.path == *path)
            }
            Variant::Wrong { .. } | Variant::Oracle => false,
        }
    }

    fn blanks(&self, variant: &Variant, item: &str) -> bool {
        match variant {
            Variant::Snapshot(lesson) | Variant::Cut(lesson) => {
                self.owner(item).is_some_and(|owner| owner >= *lesson)
            }
            Variant::Without(blank) => blank == item,
            _ => false,
        }
    }
}
