//! The end of the provider.

use std::time::Duration;

use presence_actors::PresenceEvent;

use crate::support::{agent, in_virtual_time, pass, seconds, settle};
use crate::world::World;

#[test]
fn a_shutdown_with_thousands_of_agents_takes_no_time_and_nothing_is_asked_after_it() {
    in_virtual_time(|| async {
        let world = World::of(5_000);
        let ucc = world.ucc(1..=5_000);
        pass(seconds(30)).await;
        ucc.heard();
        let began = tokio::time::Instant::now();
        assert!(world.provider.shutdown(seconds(10)).await);
        assert!(began.elapsed() < Duration::from_millis(100), "{:?}", began.elapsed());
        let before = world.microsoft.counters();
        pass(seconds(60)).await;
        assert_eq!(world.microsoft.counters().of_kind("presences"), before.of_kind("presences"));
        ucc.subscribe(&agent(1));
        settle().await;
        assert!(matches!(&ucc.heard()[..], [.., PresenceEvent::Unserved { .. }]));
    });
}

#[test]
fn a_shutdown_before_anything_was_asked_is_one_too() {
    in_virtual_time(|| async {
        let world = World::of(1);
        assert!(world.provider.shutdown(seconds(1)).await);
    });
}
