//! The shadow pool that `pm.status_listen` asks for: it answers with the status of another pool on its own address.
//!
//! Original: sapi/fpm/fpm/fpm_conf.c (`fpm_worker_pool_shared_status_alloc`)

use super::Check;
use crate::draft::DraftPool;
use crate::report::text;
use crate::{PhpVersion, Pm};

impl Check<'_> {
    /// Appends the shadow pool if one is wanted; an empty address counts as wanted and fails on its turn.
    pub(super) fn status_pool(&mut self, index: usize) {
        let php = self.options.php;
        let pool = &mut self.draft.pools[index];
        let Some(listen) = pool.pm_status_listen.clone() else {
            return;
        };
        pool.pm_status_path.get_or_insert_with(|| "/".into());

        let mut shadow = DraftPool::new(text!(pool.name, "_status"));
        shadow.status_of = Some(index);
        shadow.listen = Some(listen);
        shadow.listen_acl_users.clone_from(&pool.listen_acl_users);
        shadow.listen_acl_groups.clone_from(&pool.listen_acl_groups);
        shadow
            .listen_allowed_clients
            .clone_from(&pool.listen_allowed_clients);
        shadow.listen_owner.clone_from(&pool.listen_owner);
        shadow.listen_group.clone_from(&pool.listen_group);
        shadow.listen_mode.clone_from(&pool.listen_mode);
        shadow.user.clone_from(&pool.user);
        shadow.group.clone_from(&pool.group);
        shadow.pm_status_path.clone_from(&pool.pm_status_path);
        shadow.ping_path.clone_from(&pool.ping_path);
        shadow.ping_response.clone_from(&pool.ping_response);
        shadow.pm = Some(Pm::Ondemand);
        shadow.pm_max_children = 2;
        if php != PhpVersion::Php82 {
            // Walking a list backwards and putting each entry in front turns it around.
            shadow.php_value = pool.php_value.iter().rev().cloned().collect();
            shadow.php_admin_value = pool.php_admin_value.iter().rev().cloned().collect();
        }
        self.draft.pools.push(shadow);
    }
}
