//! How much memory a group may have in huge pages.

use oci_spec::runtime::LinuxHugepageLimit;

use super::settings::List;

/// Asks for the most bytes in huge pages of one size (runtime-spec, config-linux.md, "Huge page limits"). The limit on what is
/// reserved lets mmap(2) fail; the limit on what is in use, which older kernels have alone, lets a program die that writes
/// to a page (SIGBUS). Both are set, for not all that is used was reserved.
pub(super) fn limit(list: &mut List, limits: &[LinuxHugepageLimit]) {
    let end = if list.is_v2() { "max" } else { "limit_in_bytes" };
    for limit in limits {
        let size = limit.page_size();
        list.write(format!("hugetlb.{size}.{end}"), limit.limit());
        list.write(format!("hugetlb.{size}.rsvd.{end}"), limit.limit()).optional();
    }
}

/// What is wrong: which limit, and why. A size becomes a part of a file's name.
pub(super) fn check(limits: &[LinuxHugepageLimit]) -> Option<(usize, &'static str)> {
    let is_size = |text: &str| {
        let number = text.strip_suffix("KB").or(text.strip_suffix("MB")).or(text.strip_suffix("GB"));
        number.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let wrong = limits.iter().position(|limit| !is_size(limit.page_size()))?;
    Some((wrong, "must be a size such as 64KB, 2MB or 1GB"))
}
