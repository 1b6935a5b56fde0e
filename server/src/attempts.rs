//! Counts failed log-ins, so that passwords can't be guessed in bulk.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv6Addr},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Failures are forgotten this long after the first of them.
const WINDOW: Duration = Duration::from_secs(15 * 60);
/// Keys kept before those whose window is over are looked for.
const SWEEP_ABOVE: usize = 1024;

/// How many failures are too many, within a quarter of an hour.
#[derive(Clone, Copy, Debug)]
pub struct AttemptLimits {
    /// Of one account's name, whether the account exists or not.
    pub per_name: u32,
    /// From one address; an IPv6 network of 64 bits counts as one.
    pub per_address: u32,
}

/// The failures of late. They are in memory: a restart forgets them.
pub struct Attempts {
    limits: AttemptLimits,
    counted: Mutex<Counted>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Name(String),
    Address(IpAddr),
}

struct Window {
    failures: u32,
    ends: Instant,
}

struct Counted {
    windows: HashMap<Key, Window>,
    sweep_above: usize,
}

/// An attempt under way. It counts as a failure from its start, so that attempts made at
/// the same time don't all slip through, and until it is told to have succeeded.
#[must_use]
pub struct Attempt<'a> {
    attempts: &'a Attempts,
    name: Key,
    address: Key,
}

impl Attempts {
    /// Nobody has failed yet.
    #[must_use]
    pub fn new(limits: AttemptLimits) -> Self {
        Self {
            limits,
            counted: Mutex::new(Counted {
                windows: HashMap::new(),
                sweep_above: SWEEP_ABOVE,
            }),
        }
    }

    /// Begins an attempt on the account `name_key` from `address`.
    ///
    /// # Errors
    /// How long to wait, when there were too many.
    pub fn begin(&self, name_key: &str, address: IpAddr) -> Result<Attempt<'_>, Duration> {
        self.begin_at(name_key, address, Instant::now())
    }

    fn begin_at(
        &self,
        name_key: &str,
        address: IpAddr,
        now: Instant,
    ) -> Result<Attempt<'_>, Duration> {
        let name = Key::Name(name_key.to_owned());
        let address = Key::Address(network(address));
        let mut counted = self.lock();
        counted.sweep(now);
        let wait = [
            counted.wait(&name, self.limits.per_name, now),
            counted.wait(&address, self.limits.per_address, now),
        ];
        if let Some(wait) = wait.into_iter().flatten().max() {
            return Err(wait);
        }
        counted.count(&name, now);
        counted.count(&address, now);
        drop(counted);
        Ok(Attempt {
            attempts: self,
            name,
            address,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Counted> {
        // Nothing in here panics half-way through a change, so poisoned counts are whole.
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt<'_> {
    /// The password was right: its failures are forgiven. The address keeps those of other
    /// names, or an own account would buy any number of guesses at others.
    pub fn succeeded(self) {
        let mut counted = self.attempts.lock();
        counted.windows.remove(&self.name);
        if let Some(window) = counted.windows.get_mut(&self.address) {
            window.failures = window.failures.saturating_sub(1);
        }
    }
}

impl Counted {
    fn wait(&self, key: &Key, limit: u32, now: Instant) -> Option<Duration> {
        let window = self.windows.get(key)?;
        (window.ends > now && window.failures >= limit).then(|| window.ends - now)
    }

    fn count(&mut self, key: &Key, now: Instant) {
        let fresh = || Window {
            failures: 0,
            ends: now + WINDOW,
        };
        let window = self.windows.entry(key.clone()).or_insert_with(fresh);
        if window.ends <= now {
            *window = fresh();
        }
        window.failures += 1;
    }

    /// Made-up names must not fill the memory: now and then, what is over is let go.
    fn sweep(&mut self, now: Instant) {
        if self.windows.len() > self.sweep_above {
            self.windows.retain(|_, window| window.ends > now);
            self.sweep_above = SWEEP_ABOVE.max(2 * self.windows.len());
        }
    }
}

/// One customer has a whole IPv6 network of 64 bits, and could use an address once each.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn attempts() -> Attempts {
        Attempts::new(AttemptLimits {
            per_name: 2,
            per_address: 3,
        })
    }

    #[test]
    fn a_name_is_closed_after_too_many_failures_and_opens_again() {
        let (attempts, start) = (attempts(), Instant::now());
        for _ in 0..2 {
            assert!(attempts.begin_at("ana", HERE, start).is_ok());
        }
        let wait = attempts.begin_at("ana", HERE, start).err().unwrap();
        assert_eq!(wait, WINDOW);
        assert!(attempts.begin_at("ana", HERE, start + wait).is_ok());
    }

    #[test]
    fn an_address_is_closed_whatever_the_names() {
        let (attempts, start) = (attempts(), Instant::now());
        for name in ["a", "b", "c"] {
            assert!(attempts.begin_at(name, HERE, start).is_ok());
        }
        assert!(attempts.begin_at("d", HERE, start).is_err());
        let elsewhere = "192.0.2.1".parse().unwrap();
        assert!(attempts.begin_at("d", elsewhere, start).is_ok());
    }

    #[test]
    fn successes_are_not_counted() {
        let (attempts, start) = (attempts(), Instant::now());
        for _ in 0..10 {
            attempts.begin_at("ana", HERE, start).unwrap().succeeded();
        }
        assert!(attempts.begin_at("ana", HERE, start).is_ok());
    }

    #[test]
    fn an_ipv6_network_counts_as_one_address() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }

    #[test]
    fn windows_that_are_over_are_let_go() {
        let (attempts, start) = (attempts(), Instant::now());
        // The first sweep finds nothing to let go and doubles the number for the next one.
        for n in 0..SWEEP_ABOVE + 3 {
            let address = IpAddr::V4(u32::try_from(n).unwrap().into());
            assert!(attempts.begin_at(&n.to_string(), address, start).is_ok());
        }
        assert!(attempts.begin_at("late", HERE, start + WINDOW).is_ok());
        assert_eq!(attempts.lock().windows.len(), 2);
    }
}
