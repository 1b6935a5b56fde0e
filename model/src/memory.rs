//! What the operating system says of this program's memory.

/// Memory that programs may still take before others have to give some back, swap included, in
/// bytes; `None` where the system does not say.
pub fn available_bytes() -> Option<u64> {
    let info = std::fs::read_to_string("/proc/meminfo").ok()?;
    Some(field(&info, "MemAvailable:")? + field(&info, "SwapFree:").unwrap_or(0))
}

/// The most memory that was resident at once so far, in bytes; `None` where the system does not
/// say (it is Linux' `VmHWM`).
pub fn peak_resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    field(&status, "VmHWM:")
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
