//! The fixed rates of API Gateway's control plane, per account: token buckets, kept with everything else.

use serde::{Deserialize, Serialize};

use super::endpoint;
use super::request::Request;
use super::tables::RATES;
use crate::sandbox::call::Refusal;
use crate::sandbox::world::{Millis, now};

/// How many calls at once, and how many a second.
#[derive(Clone, Copy)]
struct Rate {
    burst: f64,
    per_second: f64,
}

const fn rate(burst: f64, per_second: f64) -> Rate {
    Rate { burst, per_second }
}

/// All operations together.
const EVERYTHING: Rate = rate(40.0, 10.0);

/// Operations with a rate of their own, under the name of their bucket.
fn rate_of(bucket: &str) -> Option<Rate> {
    Some(match bucket {
        "CreateRestApi" => rate(1.0, 1.0 / 3.0),
        "CreateRestApi/EDGE" | "DeleteRestApi" => rate(1.0, 1.0 / 30.0),
        "CreateDeployment" => rate(1.0, 1.0 / 5.0),
        "CreateResource" | "DeleteResource" => rate(5.0, 5.0),
        "GetResources" => rate(5.0, 2.5),
        _ => return None,
    })
}

/// What a bucket held, and when.
#[derive(Serialize, Deserialize)]
struct Bucket {
    tokens: f64,
    at: Millis,
}

impl Bucket {
    fn full(rate: Rate) -> Self {
        Self { tokens: rate.burst, at: 0 }
    }

    /// The bucket after one call; `None` where it holds less than one.
    fn take(&self, rate: Rate, at: Millis) -> Option<Self> {
        let elapsed = at.saturating_sub(self.at) as f64 / 1000.0;
        let tokens = (self.tokens + elapsed * rate.per_second).min(rate.burst) - 1.0;
        (tokens >= 0.0).then_some(Self { tokens, at })
    }
}

/// Counts a call.
///
/// # Errors
/// `TooManyRequestsException` where the account makes such calls too often; a refused call isn't counted.
pub(super) fn admit(request: &Request<'_>, operation: &str) -> Result<(), Refusal> {
    let bucket = if operation == "CreateRestApi" && is_edge(request) { "CreateRestApi/EDGE" } else { operation };
    let own = rate_of(bucket).map(|rate| (bucket, rate));
    let present = now();
    request.world.store.transact(|transaction| {
        for (bucket, rate) in [("*", EVERYTHING)].into_iter().chain(own) {
            let before = transaction.get(RATES, bucket).unwrap_or_else(|| Bucket::full(rate));
            let after = before.take(rate, present).ok_or_else(too_many)?;
            transaction.put(RATES, bucket, &after)?;
        }
        Ok(())
    })
}

fn too_many() -> Refusal {
    Refusal::new(429, "TooManyRequestsException", "Too Many Requests")
}

fn is_edge(request: &Request<'_>) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Asked {
        endpoint_configuration: Option<endpoint::Asked>,
    }
    // A body that can't be read is refused later, and counts as the default until then.
    let asked: Option<Asked> = request.body().ok();
    asked.and_then(|asked| asked.endpoint_configuration).unwrap_or_default().is_edge()
}

#[cfg(test)]
mod tests {
    use super::{Bucket, rate};

    #[test]
    fn a_bucket_refills_at_its_rate_up_to_its_burst() {
        let once_in_three_seconds = rate(1.0, 1.0 / 3.0);
        let taken = Bucket::full(once_in_three_seconds).take(once_in_three_seconds, 10_000);
        assert!(taken.as_ref().is_some_and(|bucket| bucket.take(once_in_three_seconds, 12_900).is_none()));
        let again = taken.and_then(|bucket| bucket.take(once_in_three_seconds, 13_001));
        // However long it waits, there is one call to be had and no more.
        let later = again.and_then(|bucket| bucket.take(once_in_three_seconds, 1_000_000));
        assert!(later.is_some_and(|bucket| bucket.take(once_in_three_seconds, 1_000_001).is_none()));
    }
}
