//! What worlds have found, each by itself.

use crate::support::{
    Ledger, Recorder, agent, errors, in_virtual_time, pass, provider_with_two_pools, seconds, settle,
};

/// World 18: it was subscribed to at the application endpoint, beside the dialog at the user endpoint, which was ended only
/// with a token of its own.
#[test]
fn an_agent_whose_actor_dies_goes_on_at_the_endpoint_that_holds_its_dialog() {
    in_virtual_time(|| async {
        let (provider, application, user) = provider_with_two_pools(5, |_| {});
        application.set_online(false);
        let ucc = Recorder::start(&provider, "ucc");
        ucc.subscribe_to(1..=5);
        pass(seconds(30)).await;
        application.set_online(true);
        pass(seconds(30)).await;
        assert_eq!((application.subscriptions().len(), user.subscriptions().len()), (0, 5));
        assert!(provider.drill_agent(agent(3)).await);
        settle().await;
        assert_eq!(errors::take().len(), 1);
        assert_eq!((application.subscriptions().len(), user.subscriptions().len()), (0, 5));
        pass(seconds(30)).await;
        assert_eq!((application.subscriptions().len(), user.subscriptions().len()), (0, 5));
        assert_eq!(user.counters().most_for_one_agent, 1);
        Ledger::of(ucc.heard()).assert_all(presence_core::Freshness::Fresh);
    });
}
