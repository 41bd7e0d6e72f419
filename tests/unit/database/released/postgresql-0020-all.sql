-- key of the administrator: mun_itcazy4yxzdy3pcc_2ls3nvbniboa25zixaeqhoyodc3ebxzvlvylyx76c5y4vim5bbjq
CREATE TABLE public.access_failures (
    who character varying(80) NOT NULL,
    at double precision NOT NULL
);
CREATE TABLE public.access_keys (
    id character varying(16) NOT NULL,
    name text NOT NULL,
    digest character varying(64) NOT NULL,
    created_at double precision NOT NULL,
    created_by text NOT NULL,
    expires_at double precision,
    revoked_at double precision,
    used_at double precision,
    scope text DEFAULT ''::text NOT NULL
);
CREATE TABLE public.access_realm_revisions (
    label character varying(64) NOT NULL,
    rev integer NOT NULL,
    settings text NOT NULL,
    deprecated boolean NOT NULL,
    changed_at double precision NOT NULL,
    changed_by text NOT NULL
);
CREATE TABLE public.access_realms (
    label character varying(64) NOT NULL,
    rev integer NOT NULL,
    issuer text NOT NULL,
    settings text NOT NULL,
    deprecated boolean NOT NULL,
    created_at double precision NOT NULL,
    created_by text NOT NULL,
    changed_at double precision NOT NULL,
    changed_by text NOT NULL
);
CREATE TABLE public.access_rules (
    address character varying(130) NOT NULL,
    rev integer NOT NULL,
    acl text NOT NULL,
    changed_at double precision NOT NULL,
    changed_by text NOT NULL
);
CREATE TABLE public.access_sessions (
    digest character varying(64) NOT NULL,
    realm character varying(64) NOT NULL,
    subject text NOT NULL,
    groups text NOT NULL,
    display_name text NOT NULL,
    email text NOT NULL,
    key_id character varying(16),
    created_at double precision NOT NULL,
    expires_at double precision NOT NULL
);
CREATE TABLE public.access_sign_ins (
    digest character varying(64) NOT NULL,
    realm character varying(64) NOT NULL,
    nonce text NOT NULL,
    verifier text NOT NULL,
    onward text NOT NULL,
    expires_at double precision NOT NULL
);
CREATE TABLE public.access_state (
    data_version bigint NOT NULL
);
CREATE TABLE public.belongings (
    name text NOT NULL,
    value text NOT NULL
);
CREATE TABLE public.ckan_attempts (
    portal character varying(40) NOT NULL,
    resource character varying(200) NOT NULL,
    at double precision NOT NULL,
    status integer NOT NULL,
    reason text NOT NULL,
    kept_as text
);
CREATE TABLE public.ckan_counters (
    portal character varying(40) NOT NULL,
    dimension character varying(16) NOT NULL,
    name character varying(300) NOT NULL,
    day integer NOT NULL,
    links integer NOT NULL,
    broken integer NOT NULL,
    unknown integer NOT NULL,
    kept integer NOT NULL,
    broken_kept integer NOT NULL,
    datasets integer NOT NULL,
    broken_datasets integer NOT NULL,
    bytes bigint NOT NULL
);
CREATE TABLE public.ckan_datasets (
    portal character varying(40) NOT NULL,
    id character varying(200) NOT NULL,
    name text NOT NULL,
    title text NOT NULL,
    organization text NOT NULL,
    links integer NOT NULL,
    broken integer NOT NULL,
    seen_at double precision NOT NULL,
    gone boolean NOT NULL,
    modified text DEFAULT ''::text NOT NULL
);
CREATE TABLE public.ckan_links (
    portal character varying(40) NOT NULL,
    resource character varying(200) NOT NULL,
    dataset character varying(200) NOT NULL,
    organization text NOT NULL,
    "position" integer NOT NULL,
    name text NOT NULL,
    format text NOT NULL,
    url text NOT NULL,
    url_type text NOT NULL,
    host text NOT NULL,
    gone boolean NOT NULL,
    asked_url text,
    status integer,
    is_broken boolean,
    reason text NOT NULL,
    redirected_to text,
    moved_to text,
    fresh_until double precision,
    notes text NOT NULL,
    kept_as text,
    size bigint,
    mimetype text,
    md5 character varying(32),
    sha256 character varying(64),
    etag text,
    last_modified text,
    fetched_at double precision,
    fetched_url text,
    first_failure double precision,
    last_success double precision,
    failure_count integer NOT NULL,
    created double precision NOT NULL,
    updated double precision,
    cause character varying(16) DEFAULT ''::character varying NOT NULL
);
CREATE TABLE public.ckan_portals (
    name character varying(40) NOT NULL,
    url text NOT NULL,
    settings text NOT NULL,
    key_id character varying(16),
    sealed bytea,
    polled_to text NOT NULL,
    swept_at double precision NOT NULL
);
CREATE TABLE public.ckan_slots (
    name character varying(300) NOT NULL,
    next_at double precision NOT NULL,
    held text NOT NULL,
    failures integer NOT NULL,
    reason text NOT NULL,
    booked_to double precision DEFAULT '0'::double precision NOT NULL,
    pace double precision DEFAULT '0'::double precision NOT NULL
);
CREATE TABLE public.copies (
    store character varying(40) NOT NULL,
    layout character varying(16) NOT NULL,
    project character varying(129) NOT NULL,
    resource text NOT NULL,
    number integer NOT NULL,
    state character varying(16) NOT NULL,
    reason text NOT NULL,
    generation integer NOT NULL,
    keys integer NOT NULL,
    size bigint NOT NULL,
    record character varying(64) NOT NULL,
    made_at double precision,
    verified_at double precision,
    due_at double precision NOT NULL,
    lock_mode character varying(16) DEFAULT ''::character varying NOT NULL,
    locked_until double precision
);
CREATE TABLE public.copy_marks (
    name character varying(40) NOT NULL,
    value bigint NOT NULL
);
CREATE TABLE public.distillery_copies (
    destination character varying(16) NOT NULL,
    key character varying(1024) NOT NULL,
    component_id character varying(200) NOT NULL,
    path text NOT NULL,
    instance integer NOT NULL,
    size bigint NOT NULL,
    md5 character varying(32) NOT NULL,
    sha256 character varying(64) NOT NULL,
    place text NOT NULL,
    uri text NOT NULL,
    verified_at double precision NOT NULL
);
CREATE TABLE public.distillery_holds (
    name character varying(300) NOT NULL,
    holder character varying(64) NOT NULL,
    until double precision NOT NULL
);
CREATE TABLE public.distillery_lines (
    batch character varying(32) NOT NULL,
    number integer NOT NULL,
    at double precision NOT NULL,
    kind character varying(16) NOT NULL,
    folder text NOT NULL,
    text text NOT NULL
);
CREATE TABLE public.distillery_remembered (
    name character varying(500) NOT NULL,
    value text NOT NULL
);
CREATE TABLE public.history (
    seq bigint NOT NULL,
    job character varying(32) NOT NULL,
    step character varying(32),
    at double precision NOT NULL,
    what text NOT NULL,
    detail text NOT NULL
);
CREATE SEQUENCE public.history_seq_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.history_seq_seq OWNED BY public.history.seq;
CREATE TABLE public.idempotency_answers (
    key character varying(64) NOT NULL,
    request character varying(64) NOT NULL,
    answer text NOT NULL,
    made double precision NOT NULL
);
CREATE TABLE public.jobs (
    id character varying(32) NOT NULL,
    kind text NOT NULL,
    key text,
    former_key text,
    requester text NOT NULL,
    priority integer NOT NULL,
    given text NOT NULL,
    digest character varying(64) NOT NULL,
    period text,
    root character varying(32) NOT NULL,
    state character varying(16) NOT NULL,
    cancelling boolean NOT NULL,
    created_at double precision NOT NULL,
    ended_at double precision,
    result text,
    reason text NOT NULL,
    steps integer NOT NULL,
    steps_done integer NOT NULL,
    steps_failed integer NOT NULL,
    steps_cancelled integer NOT NULL,
    size bigint NOT NULL,
    paused boolean DEFAULT false NOT NULL
);
CREATE TABLE public.ledger_version (
    version_num character varying(32) NOT NULL
);
CREATE TABLE public.limits (
    name text NOT NULL,
    closed_until double precision NOT NULL,
    blocks text NOT NULL,
    closed_by text DEFAULT ''::text NOT NULL
);
CREATE TABLE public.nexus_crcs (
    digest character varying(140) NOT NULL,
    crc bigint NOT NULL
);
CREATE TABLE public.nexus_selections (
    project character varying(130) NOT NULL,
    id text NOT NULL,
    entries text NOT NULL,
    created_at double precision NOT NULL,
    created_by text NOT NULL,
    expires_at double precision NOT NULL
);
CREATE TABLE public.outages (
    name text NOT NULL,
    since double precision NOT NULL,
    reason text NOT NULL,
    probe character varying(32) NOT NULL
);
CREATE TABLE public.periods (
    name text NOT NULL,
    rule text NOT NULL,
    kind text NOT NULL,
    call text NOT NULL,
    requester text NOT NULL,
    priority integer NOT NULL,
    next_at double precision NOT NULL,
    last_job character varying(32)
);
CREATE TABLE public.policies (
    project text NOT NULL,
    text text NOT NULL,
    event bigint NOT NULL
);
CREATE TABLE public.purge_requests (
    project character varying(129) NOT NULL,
    resource text NOT NULL,
    reason text NOT NULL,
    requester text NOT NULL,
    requested_at double precision NOT NULL
);
CREATE TABLE public.reports (
    kind character varying(16) NOT NULL,
    project character varying(129) NOT NULL,
    made_at double precision NOT NULL,
    document text NOT NULL
);
CREATE TABLE public.retentions (
    project character varying(129) NOT NULL,
    resource text NOT NULL,
    mode character varying(16) NOT NULL,
    until_at double precision NOT NULL,
    hold boolean NOT NULL,
    event bigint NOT NULL
);
CREATE TABLE public.secrets (
    job character varying(32) NOT NULL,
    name text NOT NULL,
    key_id character varying(16) NOT NULL,
    sealed bytea NOT NULL
);
CREATE TABLE public.steps (
    id character varying(32) NOT NULL,
    job character varying(32) NOT NULL,
    parent character varying(32),
    joins boolean NOT NULL,
    follows character varying(32),
    number integer NOT NULL,
    name text NOT NULL,
    given text NOT NULL,
    secrets text NOT NULL,
    priority integer NOT NULL,
    state character varying(16) NOT NULL,
    outcome character varying(16),
    open_children integer NOT NULL,
    failed_children integer NOT NULL,
    attempt integer NOT NULL,
    failures integer NOT NULL,
    losses integer NOT NULL,
    max_failures integer,
    max_losses integer,
    next_at double precision NOT NULL,
    first_at double precision,
    sent_until double precision,
    lease_owner text,
    lease_until double precision,
    fence bigint NOT NULL,
    what text NOT NULL,
    done bigint NOT NULL,
    total bigint,
    size bigint NOT NULL,
    result text,
    reason text NOT NULL,
    ended_at double precision,
    requester text DEFAULT ''::text NOT NULL,
    claimed_at double precision,
    outages integer DEFAULT 0 NOT NULL,
    waits_for text
);
CREATE TABLE public.store_revisions (
    name character varying(40) NOT NULL,
    rev integer NOT NULL,
    address text NOT NULL,
    request_price double precision NOT NULL,
    read_price double precision NOT NULL,
    credentials character varying(10) NOT NULL,
    changed_at double precision NOT NULL,
    changed_by text NOT NULL
);
CREATE TABLE public.stores (
    name character varying(40) NOT NULL,
    id character varying(36) NOT NULL,
    address text NOT NULL,
    key_id character varying(16),
    sealed bytea,
    request_price double precision NOT NULL,
    read_price double precision NOT NULL,
    read_rate double precision,
    logged bigint NOT NULL,
    reason text NOT NULL,
    added_at double precision NOT NULL,
    answered_at double precision,
    silent_since double precision,
    total bigint,
    free bigint,
    rev integer DEFAULT 1 NOT NULL
);
CREATE TABLE public.subjects (
    kind text NOT NULL,
    subject text NOT NULL,
    job character varying(32) NOT NULL,
    open boolean NOT NULL
);
CREATE TABLE public.tapes (
    store character varying(40) NOT NULL,
    tape character varying(101) NOT NULL,
    files bigint NOT NULL,
    bytes bigint NOT NULL,
    total bigint,
    free bigint,
    read_only boolean NOT NULL,
    in_drive boolean NOT NULL,
    written_at text NOT NULL,
    seen_at double precision
);
CREATE TABLE public.workers (
    id text NOT NULL,
    engine text NOT NULL,
    names text NOT NULL,
    started_at double precision NOT NULL,
    seen_at double precision NOT NULL
);
ALTER TABLE ONLY public.history ALTER COLUMN seq SET DEFAULT nextval('public.history_seq_seq'::regclass);
INSERT INTO public.access_keys VALUES ('itcazy4yxzdy3pcc', 'administrator', '44fb67f78f3f7d2a7c7c52671c54f39ea5fbf752fccb3af6962db1f80f310b56', 1795896359.9258618, 'ada <mailto:ada@example.org>', NULL, NULL, NULL, '');
INSERT INTO public.access_keys VALUES ('7bhxnq57ngjsjcxh', 'alice', 'ca683e6885e945d5a3d79705e68b928408d48dca62ca9cf74219802bc06c1810', 1795896359.931052, 'ada <mailto:ada@example.org>', NULL, 1795896359.937064, NULL, '');
INSERT INTO public.access_realm_revisions VALUES ('museum', 1, '{"label": "museum", "issuer": "https://sso.example.org", "audiences": ["archive"], "name": "", "config_url": "", "algorithms": ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"], "groups_claim": "groups", "subject_claims": ["sub", "preferred_username"], "leeway": 30, "logo": ""}', false, 1795896359.9429793, 'ada');
INSERT INTO public.access_realm_revisions VALUES ('old', 2, '{"label": "old", "issuer": "https://old.example.org", "audiences": ["archive"], "name": "", "config_url": "", "algorithms": ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"], "groups_claim": "groups", "subject_claims": ["sub", "preferred_username"], "leeway": 30, "logo": ""}', true, 1795896359.948703, '');
INSERT INTO public.access_realms VALUES ('museum', 1, 'https://sso.example.org', '{"label": "museum", "issuer": "https://sso.example.org", "audiences": ["archive"], "name": "", "config_url": "", "algorithms": ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"], "groups_claim": "groups", "subject_claims": ["sub", "preferred_username"], "leeway": 30, "logo": ""}', false, 1795896359.9429793, 'ada', 1795896359.9429793, 'ada');
INSERT INTO public.access_realms VALUES ('old', 2, 'https://old.example.org', '{"label": "old", "issuer": "https://old.example.org", "audiences": ["archive"], "name": "", "config_url": "", "algorithms": ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"], "groups_claim": "groups", "subject_claims": ["sub", "preferred_username"], "leeway": 30, "logo": ""}', true, 1795896359.9453716, 'ada', 1795896359.948703, '');
INSERT INTO public.access_rules VALUES ('/', 1, '{"keys/users/administrator": ["admin"]}', 1795896359.9296737, 'ada <mailto:ada@example.org>');
INSERT INTO public.access_rules VALUES ('/museum', 1, '{"keys/users/alice": ["resources/read"]}', 1795896359.9326737, 'ada <mailto:ada@example.org>');
INSERT INTO public.access_rules VALUES ('/museum/photos', 1, '{"keys/users/alice": ["resources/write"]}', 1795896359.9400568, 'é');
INSERT INTO public.access_state VALUES (8);
INSERT INTO public.history VALUES (1, '08f273e62c7eac8b65ea51126fc190a1', NULL, 1800000000, 'submitted', 'by ada');
INSERT INTO public.history VALUES (2, '08f273e62c7eac8b65ea51126fc190a1', NULL, 1800000002, 'done', '');
INSERT INTO public.history VALUES (3, '6e0a47286c6d80794a456b58d7f00358', NULL, 1800000003, 'submitted', 'by bob');
INSERT INTO public.history VALUES (4, '6e0a47286c6d80794a456b58d7f00358', 'a1f9675621d99b61e6134ee301c25f96', 1800000005, 'again', '429');
INSERT INTO public.history VALUES (5, '6e0a47286c6d80794a456b58d7f00358', 'bb8c85ddfdfafb8c002fab1c00e0b73c', 1800000005, 'failed', '404');
INSERT INTO public.jobs VALUES ('08f273e62c7eac8b65ea51126fc190a1', 'harvest', 'ended', NULL, 'ada', 1, '{"url":"https://example.org/"}', '2b453224eb70fc4ce307f081b8879f59fabb6814a1899dfbcd14751637db6980', NULL, '57b15033bce4555129c12d80fa649b77', 'done', false, 1800000000, 1800000002, '{"files":2}', '', 1, 1, 0, 0, 0, false);
INSERT INTO public.jobs VALUES ('6e0a47286c6d80794a456b58d7f00358', 'harvest', 'running', NULL, 'bob', 1, 'null', '366930ca2a6385a25cd4088ccabd332907263bb89992c57e72b4ce63fd18851e', NULL, '451c42d25f0cf382eaf8673798c83717', 'running', false, 1800000003, NULL, NULL, '', 4, 1, 1, 0, 0, false);
INSERT INTO public.ledger_version VALUES ('0020');
INSERT INTO public.limits VALUES ('github (api.github.com)', 1800000060, '[]', '');
INSERT INTO public.limits VALUES ('figshare (api.figshare.com)', 0, '[[1800000010.0,4]]', '');
INSERT INTO public.nexus_selections VALUES ('museum/photos', 'urn:x:1', '[{"@type": "Resource", "resourceId": "https://example.org/r1", "project": "museum/photos"}]', 1795896359.9681163, 'keys/users/alice', 11795896359.968117);
INSERT INTO public.steps VALUES ('57b15033bce4555129c12d80fa649b77', '08f273e62c7eac8b65ea51126fc190a1', NULL, false, NULL, 1, 'fetch', '{"url":"https://example.org/"}', '[]', 1, 'done', 'done', 0, 0, 1, 0, 0, NULL, NULL, 1800000002, 1800000000, NULL, NULL, NULL, 1, '', 0, NULL, 0, '{"files":2}', '', 1800000002, 'ada', NULL, 0, NULL);
INSERT INTO public.steps VALUES ('451c42d25f0cf382eaf8673798c83717', '6e0a47286c6d80794a456b58d7f00358', NULL, false, '412113758b15bf32d3d73c743473c76b', 1, 'fetch', 'null', '[]', 1, 'done', NULL, 1, 1, 1, 0, 0, NULL, NULL, 1800000005, 1800000003, NULL, NULL, NULL, 1, '', 0, NULL, 0, 'null', '', 1800000005, 'bob', NULL, 0, NULL);
INSERT INTO public.steps VALUES ('a1f9675621d99b61e6134ee301c25f96', '6e0a47286c6d80794a456b58d7f00358', '451c42d25f0cf382eaf8673798c83717', false, NULL, 2, 'file', '1', '[]', 1, 'ready', NULL, 0, 0, 1, 0, 0, NULL, NULL, 1800000035, 1800000005, NULL, NULL, NULL, 1, '', 0, NULL, 0, NULL, '429', NULL, 'bob', NULL, 0, NULL);
INSERT INTO public.steps VALUES ('bb8c85ddfdfafb8c002fab1c00e0b73c', '6e0a47286c6d80794a456b58d7f00358', '451c42d25f0cf382eaf8673798c83717', false, NULL, 3, 'file', '2', '[]', 1, 'failed', 'failed', 0, 0, 1, 1, 0, NULL, NULL, 1800000005, 1800000005, NULL, NULL, NULL, 1, '', 0, NULL, 0, NULL, '404', 1800000005, 'bob', NULL, 0, NULL);
INSERT INTO public.steps VALUES ('412113758b15bf32d3d73c743473c76b', '6e0a47286c6d80794a456b58d7f00358', '451c42d25f0cf382eaf8673798c83717', true, NULL, 4, 'join', 'null', '[]', 1, 'waiting', NULL, 0, 0, 0, 0, 0, NULL, NULL, 1800000005, NULL, NULL, NULL, NULL, 0, '', 0, NULL, 0, NULL, '', NULL, 'bob', NULL, 0, NULL);
SELECT pg_catalog.setval('public.history_seq_seq', 5, true);
ALTER TABLE ONLY public.access_keys
    ADD CONSTRAINT access_keys_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.access_realm_revisions
    ADD CONSTRAINT access_realm_revisions_pkey PRIMARY KEY (label, rev);
ALTER TABLE ONLY public.access_realms
    ADD CONSTRAINT access_realms_issuer_key UNIQUE (issuer);
ALTER TABLE ONLY public.access_realms
    ADD CONSTRAINT access_realms_pkey PRIMARY KEY (label);
ALTER TABLE ONLY public.access_rules
    ADD CONSTRAINT access_rules_pkey PRIMARY KEY (address, rev);
ALTER TABLE ONLY public.access_sessions
    ADD CONSTRAINT access_sessions_pkey PRIMARY KEY (digest);
ALTER TABLE ONLY public.access_sign_ins
    ADD CONSTRAINT access_sign_ins_pkey PRIMARY KEY (digest);
ALTER TABLE ONLY public.belongings
    ADD CONSTRAINT belongings_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.ckan_attempts
    ADD CONSTRAINT ckan_attempts_pkey PRIMARY KEY (portal, resource, at);
ALTER TABLE ONLY public.ckan_counters
    ADD CONSTRAINT ckan_counters_pkey PRIMARY KEY (portal, dimension, name, day);
ALTER TABLE ONLY public.ckan_datasets
    ADD CONSTRAINT ckan_datasets_pkey PRIMARY KEY (portal, id);
ALTER TABLE ONLY public.ckan_links
    ADD CONSTRAINT ckan_links_pkey PRIMARY KEY (portal, resource);
ALTER TABLE ONLY public.ckan_portals
    ADD CONSTRAINT ckan_portals_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.ckan_slots
    ADD CONSTRAINT ckan_slots_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.copies
    ADD CONSTRAINT copies_pkey PRIMARY KEY (store, layout, project, resource, number);
ALTER TABLE ONLY public.copy_marks
    ADD CONSTRAINT copy_marks_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.distillery_copies
    ADD CONSTRAINT distillery_copies_pkey PRIMARY KEY (destination, key);
ALTER TABLE ONLY public.distillery_holds
    ADD CONSTRAINT distillery_holds_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.distillery_lines
    ADD CONSTRAINT distillery_lines_pkey PRIMARY KEY (batch, number);
ALTER TABLE ONLY public.distillery_remembered
    ADD CONSTRAINT distillery_remembered_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.history
    ADD CONSTRAINT history_pkey PRIMARY KEY (seq);
ALTER TABLE ONLY public.idempotency_answers
    ADD CONSTRAINT idempotency_answers_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.jobs
    ADD CONSTRAINT jobs_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.ledger_version
    ADD CONSTRAINT ledger_version_pkc PRIMARY KEY (version_num);
ALTER TABLE ONLY public.limits
    ADD CONSTRAINT limits_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.nexus_crcs
    ADD CONSTRAINT nexus_crcs_pkey PRIMARY KEY (digest);
ALTER TABLE ONLY public.nexus_selections
    ADD CONSTRAINT nexus_selections_pkey PRIMARY KEY (project, id);
ALTER TABLE ONLY public.outages
    ADD CONSTRAINT outages_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.periods
    ADD CONSTRAINT periods_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.policies
    ADD CONSTRAINT policies_pkey PRIMARY KEY (project);
ALTER TABLE ONLY public.purge_requests
    ADD CONSTRAINT purge_requests_pkey PRIMARY KEY (project, resource);
ALTER TABLE ONLY public.reports
    ADD CONSTRAINT reports_pkey PRIMARY KEY (kind, project);
ALTER TABLE ONLY public.retentions
    ADD CONSTRAINT retentions_pkey PRIMARY KEY (project, resource);
ALTER TABLE ONLY public.secrets
    ADD CONSTRAINT secrets_pkey PRIMARY KEY (job, name);
ALTER TABLE ONLY public.steps
    ADD CONSTRAINT steps_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.store_revisions
    ADD CONSTRAINT store_revisions_pkey PRIMARY KEY (name, rev);
ALTER TABLE ONLY public.stores
    ADD CONSTRAINT stores_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.subjects
    ADD CONSTRAINT subjects_pkey PRIMARY KEY (kind, subject, job);
ALTER TABLE ONLY public.tapes
    ADD CONSTRAINT tapes_pkey PRIMARY KEY (store, tape);
ALTER TABLE ONLY public.workers
    ADD CONSTRAINT workers_pkey PRIMARY KEY (id);
CREATE INDEX access_failures_who ON public.access_failures USING btree (who, at);
CREATE INDEX access_keys_name ON public.access_keys USING btree (name);
CREATE INDEX ckan_datasets_by_name ON public.ckan_datasets USING btree (portal, name);
CREATE INDEX ckan_links_broken ON public.ckan_links USING btree (portal, is_broken, organization, resource);
CREATE INDEX ckan_links_by_content ON public.ckan_links USING btree (sha256);
CREATE INDEX ckan_links_by_dataset ON public.ckan_links USING btree (portal, dataset);
CREATE INDEX ckan_links_by_url ON public.ckan_links USING btree (portal, url);
CREATE INDEX ckan_links_longest ON public.ckan_links USING btree (portal, first_failure, resource) WHERE ((is_broken IS TRUE) AND (gone IS FALSE));
CREATE INDEX ckan_links_longest_cause ON public.ckan_links USING btree (portal, cause, first_failure, resource) WHERE ((is_broken IS TRUE) AND (gone IS FALSE));
CREATE INDEX ckan_links_longest_host ON public.ckan_links USING btree (portal, host, first_failure, resource) WHERE ((is_broken IS TRUE) AND (gone IS FALSE));
CREATE INDEX ckan_links_longest_organization ON public.ckan_links USING btree (portal, organization, first_failure, resource) WHERE ((is_broken IS TRUE) AND (gone IS FALSE));
CREATE INDEX copies_by_age ON public.copies USING btree (state, verified_at);
CREATE INDEX copies_by_resource ON public.copies USING btree (project, resource);
CREATE INDEX copies_by_state ON public.copies USING btree (store, state, due_at);
CREATE INDEX distillery_copies_by_object ON public.distillery_copies USING btree (component_id);
CREATE INDEX history_job ON public.history USING btree (job, seq);
CREATE INDEX idempotency_answers_made ON public.idempotency_answers USING btree (made);
CREATE INDEX ix_access_sessions_expires_at ON public.access_sessions USING btree (expires_at);
CREATE INDEX ix_nexus_selections_expires_at ON public.nexus_selections USING btree (expires_at);
CREATE INDEX jobs_created ON public.jobs USING btree (created_at, id);
CREATE INDEX jobs_former_key ON public.jobs USING btree (kind, former_key);
CREATE UNIQUE INDEX jobs_key ON public.jobs USING btree (kind, key);
CREATE INDEX jobs_period ON public.jobs USING btree (period) WHERE ((state)::text = 'running'::text);
CREATE INDEX jobs_requester ON public.jobs USING btree (requester, created_at, id);
CREATE INDEX jobs_state ON public.jobs USING btree (state, created_at, id);
CREATE INDEX retentions_by_end ON public.retentions USING btree (until_at);
CREATE INDEX steps_job ON public.steps USING btree (job, state);
CREATE INDEX steps_lease ON public.steps USING btree (lease_until) WHERE ((state)::text = 'running'::text);
CREATE INDEX steps_number ON public.steps USING btree (job, number);
CREATE INDEX steps_owner ON public.steps USING btree (lease_owner) WHERE ((state)::text = 'running'::text);
CREATE INDEX steps_parent ON public.steps USING btree (parent, number);
CREATE INDEX steps_ready ON public.steps USING btree (priority, next_at, number) WHERE ((state)::text = 'ready'::text);
CREATE INDEX steps_turn ON public.steps USING btree (priority, requester, next_at, number) WHERE ((state)::text = 'ready'::text);
CREATE INDEX steps_waits ON public.steps USING btree (waits_for) WHERE (waits_for IS NOT NULL);
CREATE INDEX subjects_job ON public.subjects USING btree (job);
CREATE UNIQUE INDEX subjects_open ON public.subjects USING btree (kind, subject) WHERE open;
ALTER TABLE ONLY public.history
    ADD CONSTRAINT history_job_fkey FOREIGN KEY (job) REFERENCES public.jobs(id);
ALTER TABLE ONLY public.secrets
    ADD CONSTRAINT secrets_job_fkey FOREIGN KEY (job) REFERENCES public.jobs(id);
ALTER TABLE ONLY public.steps
    ADD CONSTRAINT steps_job_fkey FOREIGN KEY (job) REFERENCES public.jobs(id);
ALTER TABLE ONLY public.subjects
    ADD CONSTRAINT subjects_job_fkey FOREIGN KEY (job) REFERENCES public.jobs(id);
