//! As an ordinary user: what needs no root, and what to do about what does. Row O-31.
//!
//! Where root runs the tests, they become `nobody` first.

#[path = "rootless/cgroups.rs"]
mod cgroups;
mod common;
#[path = "rootless/engine.rs"]
mod engine;
#[path = "rootless/ids.rs"]
mod ids;
#[path = "rootless/mounts.rs"]
mod mounts;
#[path = "rootless/place.rs"]
mod place;
#[path = "rootless/verbs.rs"]
mod verbs;

use cgroups::*;
use common::user;
use engine::*;
use ids::*;
use mounts::*;
use place::*;
use verbs::*;

testkit::suite! { "rootless",
    runtime = env!("CARGO_BIN_EXE_coracle"),
    tests = [
        o31_what_spec_writes_runs(userns),
        o31_what_is_written_inside_is_the_callers_outside(userns),
        o31_a_terminal_needs_no_root(userns),
        o31_every_verb_of_the_lifecycle_works(userns),
        o31_without_a_control_group_nothing_can_be_paused(userns),
        o31_what_is_asked_of_control_groups_must_be_had(root, userns),
        o31_a_delegated_control_group_is_used(root, userns),
        o31_the_callers_control_groups_cannot_be_written(root, userns),
        o31_ranges_of_ids_are_mapped_by_newuidmap(root, newuidmap),
        o31_ids_of_somebody_else_are_refused_with_the_cure(root, newuidmap),
        o31_a_missing_newuidmap_is_named_with_its_package(userns),
        o31_root_of_an_engines_user_namespace_runs_its_bundle(root, newuidmap),
        o31_a_mount_that_a_user_namespace_may_not_have_comes_with_a_cure(userns),
        o31_a_proc_that_would_reveal_more_is_refused_with_the_cure(root, userns),
        o31_containers_are_where_the_user_may_write(userns),
        o31_a_place_that_cannot_be_used_comes_with_a_cure(userns),
    ]
}
