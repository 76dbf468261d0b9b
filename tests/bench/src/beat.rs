//! Says that the work goes on, for as long as nothing else is said of it.

use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use p1_local::progress::Progress;
use tokio::time::{Instant, timeout};

/// The longest time in which nothing is said.
const EVERY: Duration = Duration::from_secs(5);

/// Passes on what is said, and remembers it.
pub struct Beat<'p> {
    to: &'p dyn Progress,
    said: Mutex<Said>,
}

/// What was said.
struct Said {
    /// What has begun and is not done, with the time of its beginning.
    open: Vec<(String, Instant)>,
    /// The latest note since something began or was done.
    note: Option<(String, Instant)>,
    /// When something was said.
    at: Instant,
}

impl<'p> Beat<'p> {
    /// Says it to somebody.
    #[must_use]
    pub fn new(to: &'p dyn Progress) -> Self {
        Beat {
            to,
            said: Mutex::new(Said {
                open: Vec::new(),
                note: None,
                at: Instant::now(),
            }),
        }
    }

    /// Does the work. While nothing is said of it, what is being done is repeated, with its time so far.
    pub async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        loop {
            let rest = EVERY.saturating_sub(self.said(|said| said.at.elapsed()));
            match timeout(rest, &mut work).await {
                Ok(result) => return result,
                Err(_) => self.remind(),
            }
        }
    }

    fn remind(&self) {
        let line = self.said(|said| {
            if said.at.elapsed() < EVERY {
                return None;
            }
            said.at = Instant::now();
            let (doing, since) = said.note.as_ref().or(said.open.last())?;
            Some(format!("{doing}: {} s so far", since.elapsed().as_secs()))
        });
        if let Some(line) = line {
            self.to.note(&line);
        }
    }

    fn said<T>(&self, with: impl FnOnce(&mut Said) -> T) -> T {
        with(&mut self.said.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Remembers it, at this time.
    fn hears(&self, with: impl FnOnce(&mut Said, Instant)) {
        let now = Instant::now();
        self.said(|said| {
            said.at = now;
            said.note = None;
            with(said, now);
        });
    }
}

impl Progress for Beat<'_> {
    fn begin(&self, phase: &str) {
        self.hears(|said, now| said.open.push((phase.to_owned(), now)));
        self.to.begin(phase);
    }

    fn note(&self, text: &str) {
        self.hears(|said, now| said.note = Some((text.to_owned(), now)));
        self.to.note(text);
    }

    fn done(&self, phase: &str, took: Duration) {
        // What was begun may say more, such as how long it takes.
        self.hears(|said, _| {
            let at = said.open.iter().rposition(|(open, _)| open.starts_with(phase));
            at.map(|at| said.open.remove(at));
        });
        self.to.done(phase, took);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Progress for Heard {
        fn begin(&self, phase: &str) {
            self.0.lock().unwrap().push(phase.to_owned());
        }

        fn note(&self, text: &str) {
            self.0.lock().unwrap().push(text.to_owned());
        }

        fn done(&self, phase: &str, _took: Duration) {
            self.0.lock().unwrap().push(format!("{phase}: done"));
        }
    }

    /// The clock is tokio's, which stands still but for sleeps.
    #[tokio::test(start_paused = true)]
    async fn something_is_said_every_few_seconds() {
        let heard = Heard::default();
        let beat = Beat::new(&heard);
        let work = async {
            let sleep = |seconds| tokio::time::sleep(Duration::from_secs(seconds));
            beat.begin("measuring cost");
            sleep(12).await;
            beat.note("pair 1 of 1");
            sleep(4).await;
            beat.note("pair 2 of 2");
            sleep(6).await;
            // Two at once: one of them is done, and the other goes on.
            beat.begin("starting the engine");
            beat.begin("building (minutes)");
            sleep(1).await;
            beat.done("starting the engine", Duration::from_secs(1));
            sleep(6).await;
            beat.done("building", Duration::from_secs(7));
            beat.done("measuring cost", Duration::from_secs(29));
            7
        };
        assert_eq!(beat.during(work).await, 7);
        let heard = heard.0.lock().unwrap();
        assert_eq!(
            *heard,
            [
                "measuring cost",
                "measuring cost: 5 s so far",
                "measuring cost: 10 s so far",
                "pair 1 of 1",
                "pair 2 of 2",
                "pair 2 of 2: 5 s so far",
                "starting the engine",
                "building (minutes)",
                "starting the engine: done",
                "building (minutes): 6 s so far",
                "building: done",
                "measuring cost: done",
            ]
        );
    }
}
