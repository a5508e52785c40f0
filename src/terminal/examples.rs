//! What stands under `--help` of the operator's commands.

/// Of `status`.
pub(crate) const STATUS: &str = "\
Examples:
  presence-provider status
  presence-provider status --follow && echo recovered
  presence-provider status --json | jq .agents";

/// Of `watch`.
pub(crate) const WATCH: &str = "\
Examples:
  presence-provider watch
  presence-provider watch sip:user1@domain.com tel:+31612345678
  presence-provider watch --json | jq 'select(.type == \"changed\") | .uri'";

/// Of `agents`.
pub(crate) const AGENTS: &str = "\
Examples:
  presence-provider agents --state abandoned
  presence-provider agents --freshness stale --sort=-since --all
  presence-provider agents --ucc sales -q user1
  presence-provider agents --state abandoned --all | cut -f1";

/// Of `agent`.
pub(crate) const AGENT: &str = "\
Examples:
  presence-provider agent sip:user1@domain.com
  presence-provider agent sip:user1@domain.com --json | jq -r .why";

/// Of `revive`.
pub(crate) const REVIVE: &str = "\
Examples:
  presence-provider revive sip:user1@domain.com
  presence-provider revive --all";

/// Of `completions`.
pub(crate) const COMPLETIONS: &str = "\
Examples:
  presence-provider completions bash > /etc/bash_completion.d/presence-provider
  presence-provider completions zsh > ~/.zfunc/_presence-provider
  presence-provider completions fish > ~/.config/fish/completions/presence-provider.fish";
