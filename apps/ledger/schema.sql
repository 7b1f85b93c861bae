CREATE TABLE ledger_notification (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    recipient_id uuid NOT NULL,
    api_key_id uuid,
    mode text NOT NULL,
    category text NOT NULL,
    event_type text NOT NULL DEFAULT '',
    template_key text NOT NULL DEFAULT '',
    channels text[] NOT NULL DEFAULT '{}',
    priority smallint NOT NULL DEFAULT 1,
    sealed bytea,
    due_at timestamptz,
    expires_at timestamptz,
    event_id text NOT NULL DEFAULT '',
    actor_id text NOT NULL DEFAULT '',
    object_id text NOT NULL DEFAULT '',
    ordering_key text NOT NULL DEFAULT '',
    source text NOT NULL,
    request_id text NOT NULL DEFAULT '',
    broadcast_id uuid,
    variant smallint,
    created_at timestamptz NOT NULL DEFAULT now()
) PARTITION BY RANGE (id);
CREATE INDEX ledger_notification_recipient ON ledger_notification (recipient_id, id DESC);
-- what an operator may paste; request ids of our own making carry their time and need no index
CREATE INDEX ledger_notification_event ON ledger_notification (event_id) WHERE event_id <> '';
CREATE INDEX ledger_notification_request ON ledger_notification (request_id)
    WHERE request_id <> '' AND request_id NOT LIKE 'req\_%';

-- what the notifications of one campaign run share: their content and data, and whether they may go out
CREATE TABLE ledger_broadcast (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    halt text NOT NULL DEFAULT '',
    contents jsonb NOT NULL,
    sealed bytea,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE ledger_delivery (
    id uuid PRIMARY KEY,
    notification_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    recipient_id uuid NOT NULL,
    channel text NOT NULL,
    endpoint_id uuid,
    category text NOT NULL,
    mode text NOT NULL,
    status text NOT NULL,
    reason text NOT NULL DEFAULT '',
    bypassed text NOT NULL DEFAULT '',
    because jsonb,
    merged_into uuid,
    variant smallint,
    place text NOT NULL DEFAULT '',
    account text NOT NULL DEFAULT '',
    provider_message_id text NOT NULL DEFAULT '',
    duplicate_possible boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    sent_at timestamptz,
    delivered_at timestamptz,
    ended_at timestamptz,
    seen_at timestamptz,
    read_at timestamptz,
    opened_at timestamptz,
    clicked_at timestamptz,
    complained_at timestamptz,
    unsubscribed_at timestamptz
) PARTITION BY RANGE (id);
CREATE INDEX ledger_delivery_notification ON ledger_delivery (notification_id);
-- written once, so that later updates keep their place on the page
CREATE INDEX ledger_delivery_merged ON ledger_delivery (merged_into) WHERE merged_into IS NOT NULL;
-- by reason, not by status: every delivery changes its status, and a column of an index costs those updates their place on the page
CREATE INDEX ledger_delivery_in_doubt ON ledger_delivery (id) WHERE reason = 'in_doubt';
CREATE INDEX ledger_delivery_quiet ON ledger_delivery (recipient_id) WHERE reason = 'quiet_hours';

CREATE TABLE ledger_bundle (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    recipient_id uuid NOT NULL,
    channel text NOT NULL,
    category text NOT NULL,
    mode text NOT NULL,
    kind text NOT NULL,
    key text NOT NULL,
    event_type text NOT NULL DEFAULT '',
    most integer NOT NULL,
    count integer NOT NULL DEFAULT 0,
    flush_at timestamptz NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT now(),
    closed_at timestamptz,
    summary_id uuid
);
CREATE UNIQUE INDEX ledger_bundle_open ON ledger_bundle (recipient_id, channel, mode, category, kind, key) WHERE closed_at IS NULL;
CREATE INDEX ledger_bundle_closed ON ledger_bundle (closed_at) WHERE closed_at IS NOT NULL;

CREATE TABLE ledger_bundle_item (
    delivery_id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    bundle_id uuid NOT NULL,
    notification_id uuid NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ledger_bundle_item_bundle ON ledger_bundle_item (bundle_id);

CREATE TABLE ledger_attempt (
    id uuid PRIMARY KEY,
    delivery_id uuid NOT NULL,
    tenant_id uuid NOT NULL,
    number smallint NOT NULL,
    account text NOT NULL,
    template_version_id uuid,
    template_version integer NOT NULL DEFAULT 0,
    locale text NOT NULL DEFAULT '',
    size integer NOT NULL DEFAULT 0,
    parts smallint NOT NULL DEFAULT 1,
    started_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    kind text NOT NULL DEFAULT '',
    code text NOT NULL DEFAULT '',
    detail text NOT NULL DEFAULT '',
    provider_message_id text NOT NULL DEFAULT '',
    retry_after real,
    exchange jsonb
) PARTITION BY RANGE (id);
CREATE INDEX ledger_attempt_delivery ON ledger_attempt (delivery_id);
CREATE INDEX ledger_attempt_provider ON ledger_attempt (provider_message_id) WHERE provider_message_id <> '';

CREATE TABLE ledger_delivery_event (
    id uuid PRIMARY KEY,
    notification_id uuid NOT NULL,
    delivery_id uuid,
    tenant_id uuid NOT NULL,
    kind text NOT NULL,
    at timestamptz NOT NULL,
    code text NOT NULL DEFAULT '',
    detail text NOT NULL DEFAULT '',
    source text NOT NULL DEFAULT ''
) PARTITION BY RANGE (id);
CREATE INDEX ledger_delivery_event_notification ON ledger_delivery_event (notification_id);

CREATE TABLE ledger_seen_key (
    key bytea PRIMARY KEY,
    ref_id uuid NOT NULL,
    fingerprint bytea,
    answer bytea,
    expires_at timestamptz NOT NULL
);
CREATE INDEX ledger_seen_key_expiry ON ledger_seen_key (expires_at);

CREATE TABLE ledger_work_item (
    id uuid NOT NULL,
    lane text NOT NULL,
    queue text NOT NULL,
    kind text NOT NULL,
    channel text NOT NULL DEFAULT '',
    tenant_id uuid NOT NULL,
    notification_id uuid NOT NULL,
    priority smallint NOT NULL DEFAULT 1,
    due_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    phase smallint NOT NULL DEFAULT 0,
    lease_until timestamptz,
    lease_token integer NOT NULL DEFAULT 0,
    attempt_id uuid,
    expiries smallint NOT NULL DEFAULT 0,
    tries smallint NOT NULL DEFAULT 0,
    calls smallint NOT NULL DEFAULT 0,
    earlier smallint NOT NULL DEFAULT 0,
    move text NOT NULL DEFAULT '',
    ordering_key text NOT NULL DEFAULT '',
    order_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (lane, id)
) PARTITION BY LIST (lane);
CREATE INDEX ledger_work_item_claim ON ledger_work_item (queue, tenant_id, priority, due_at);
CREATE INDEX ledger_work_item_lone ON ledger_work_item (queue, due_at) WHERE expiries > 0;
CREATE INDEX ledger_work_item_order ON ledger_work_item (queue, ordering_key, order_at, notification_id)
    WHERE ordering_key <> '';

DO $$
DECLARE lane text;
BEGIN
    FOREACH lane IN ARRAY ARRAY['critical', 'transactional', 'social', 'marketing'] LOOP
        EXECUTE format(
            'CREATE TABLE ledger_work_item_%1$s PARTITION OF ledger_work_item FOR VALUES IN (%1$L) WITH (fillfactor = 50,'
            ' autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0,'
            ' autovacuum_vacuum_insert_threshold = -1, autovacuum_analyze_scale_factor = 0.5)', lane);
    END LOOP;
END $$;

-- what one claim took, until all of it is done; an index of leases on the items would cost their updates their place on the page
CREATE TABLE ledger_lease (
    id uuid PRIMARY KEY,
    lane text NOT NULL,
    items uuid[] NOT NULL,
    look_at timestamptz NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX ledger_lease_look ON ledger_lease (look_at);
