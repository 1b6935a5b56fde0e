//! What the operating system says of this program's memory.

use std::path::Path;

use tch::{Device, Kind};

use crate::device::dtype_word;

/// Where Linux shows its control groups.
const GROUPS: &str = "/sys/fs/cgroup";

/// Networks need more memory than there is.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("the weights need {needed:.1} GiB in {dtype}, and {free:.1} GiB of memory are free")]
pub struct TooLarge {
    /// GiB of the parameters.
    pub needed: f64,
    /// GiB that may be taken.
    pub free: f64,
    /// The dtype that they were to be in.
    pub dtype: &'static str,
}

/// A size for people to read: in GiB, or in MiB where that is a small part of one.
pub fn size_words(bytes: u64) -> String {
    match gib(bytes) {
        large if large >= 0.1 => format!("{large:.2} GiB"),
        small => format!("{:.2} MiB", 1024.0 * small),
    }
}

/// Checks that so many parameters have room in the memory of the CPU, if they are to be there.
/// Without this, a system that promises more memory than it has would end the program in the
/// middle of loading. Of a GPU's memory libtorch says so itself.
///
/// # Errors
/// They have none.
pub fn check_room(parameters: u64, kind: Kind, device: Device) -> Result<(), TooLarge> {
    let needed = parameters * kind.elt_size_in_bytes() as u64;
    match available_bytes() {
        Some(free) if device == Device::Cpu && needed > free => Err(TooLarge {
            needed: gib(needed),
            free: gib(free),
            dtype: dtype_word(kind),
        }),
        _ => Ok(()),
    }
}

/// Memory that programs may still take before others have to give some back, swap included, in
/// bytes, and no more than this program's control groups leave it; `None` where the system does
/// not say.
pub fn available_bytes() -> Option<u64> {
    let info = std::fs::read_to_string("/proc/meminfo").ok();
    let free = info.and_then(|info| {
        Some(field(&info, "MemAvailable:")? + field(&info, "SwapFree:").unwrap_or(0))
    });
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok();
    let left = groups.and_then(|groups| left_by_groups(&groups, Path::new(GROUPS)));
    free.into_iter().chain(left).min()
}

/// The most memory that was resident at once so far, in bytes; `None` where the system does not
/// say (it is Linux' `VmHWM`).
pub fn peak_resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    field(&status, "VmHWM:")
}

/// The files of a control group that say what it may take and takes.
struct GroupFiles {
    most: &'static str,
    taken: &'static str,
    /// The fields of memory.stat with cached files, read lately or not: they make room for others.
    cached: [&'static str; 2],
}

const VERSION_1: GroupFiles = GroupFiles {
    most: "memory.limit_in_bytes",
    taken: "memory.usage_in_bytes",
    cached: ["total_inactive_file ", "total_active_file "],
};
const VERSION_2: GroupFiles = GroupFiles {
    most: "memory.max",
    taken: "memory.current",
    cached: ["inactive_file ", "active_file "],
};

/// What the groups of a /proc/self/cgroup leave of their memory, in bytes; `None` without limits.
fn left_by_groups(groups: &str, mount: &Path) -> Option<u64> {
    let left = |line: &str| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        let (root, files) = match controllers {
            "" => (mount.to_owned(), VERSION_2),
            _ if controllers.split(',').any(|c| c == "memory") => (mount.join("memory"), VERSION_1),
            _ => return None,
        };
        // A group may take what all above it may; in a container the path may begin above the root.
        let own = root.join(path.trim_start_matches('/'));
        let above = own.ancestors().take_while(|dir| dir.starts_with(&root));
        above.filter_map(|dir| left_in(dir, &files)).min()
    };
    groups.lines().filter_map(left).min()
}

/// What one group leaves; `None` where it has no limit.
fn left_in(group: &Path, files: &GroupFiles) -> Option<u64> {
    let read = |file: &str| std::fs::read_to_string(group.join(file)).ok();
    let number = |file: &str| read(file)?.trim().parse::<u64>().ok();
    let (most, taken) = (number(files.most)?, number(files.taken)?);
    let stat = read("memory.stat").unwrap_or_default();
    let bytes = |field: &&str| {
        let line = stat.lines().find_map(|line| line.strip_prefix(*field));
        line?.trim().parse::<u64>().ok()
    };
    let cached: u64 = files.cached.iter().filter_map(bytes).sum();
    Some(most.saturating_sub(taken.saturating_sub(cached)))
}

/// A field of one of Linux' files, which count in kibibytes, in bytes.
fn field(text: &str, name: &str) -> Option<u64> {
    let value = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = value.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

/// Bytes in gibibytes, for people.
pub fn gib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 30)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_groups_and_all_above_them_limit_what_is_free() {
        let mount = tempfile::tempdir().unwrap();
        let write = |group: &str, files: &[(&str, &str)]| {
            let dir = mount.path().join(group);
            std::fs::create_dir_all(&dir).unwrap();
            for (file, text) in files {
                std::fs::write(dir.join(file), text).unwrap();
            }
        };
        let left = |groups: &str| left_by_groups(groups, mount.path());
        assert_eq!(left("0::/a/b\n"), None);
        write("a", &[("memory.max", "900\n"), ("memory.current", "500\n")]);
        write(
            "a/b",
            &[("memory.max", "max\n"), ("memory.current", "100\n")],
        );
        assert_eq!(left("0::/a/b\n"), Some(400));
        let stat = "anon 50\ninactive_anon 50\ninactive_file 300\nactive_file 120\n";
        write("a", &[("memory.stat", stat)]);
        assert_eq!(left("0::/a/b\n"), Some(820));
        let first = [
            ("memory.limit_in_bytes", "64\n"),
            ("memory.usage_in_bytes", "24\n"),
        ];
        write("memory", &first);
        assert_eq!(left("3:cpu:/x\n2:memory,hugetlb:/docker/x\n"), Some(40));
        let stat = "inactive_file 1\nactive_file 1\ntotal_inactive_file 3\ntotal_active_file 4\n";
        write("memory", &[("memory.stat", stat)]);
        assert_eq!(left("2:memory:/\n"), Some(47));
        assert_eq!(left("3:cpu:/x\n"), None);
    }

    #[test]
    fn more_than_there_is_has_no_room_on_a_cpu() {
        let most = 1 << 50;
        let error = check_room(most, Kind::BFloat16, Device::Cpu).unwrap_err();
        assert!(error.to_string().contains("GiB in bf16"), "{error}");
        assert_eq!(check_room(most, Kind::BFloat16, Device::Cuda(0)), Ok(()));
        assert_eq!(check_room(1, Kind::Float, Device::Cpu), Ok(()));
    }
}
