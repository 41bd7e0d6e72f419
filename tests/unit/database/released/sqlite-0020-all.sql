-- key of the administrator: mun_4vi34ug7kcff2dqo_7bb6uneaensnaiduxl55qdfq6vljdewrjpufm24uofgwvvydnqja
BEGIN TRANSACTION;
CREATE TABLE access_failures (
	who VARCHAR(80) NOT NULL, 
	at DOUBLE NOT NULL
);
CREATE TABLE access_keys (
	id VARCHAR(16) NOT NULL, 
	name TEXT NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	created_at DOUBLE NOT NULL, 
	created_by TEXT NOT NULL, 
	expires_at DOUBLE, 
	revoked_at DOUBLE, 
	used_at DOUBLE, scope TEXT DEFAULT '' NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "access_keys" VALUES('4vi34ug7kcff2dqo','administrator','e59e61477cf9d6f423a31e24e7b08600e7effb7ae9f755568205dc46e8eef802',1.79589633165075588227e+09,'ada <mailto:ada@example.org>',NULL,NULL,NULL,'');
INSERT INTO "access_keys" VALUES('f6w7wim7ndwjm44u','alice','46d2d6ca52108ba017761012f7b76cc5c97be3bb034579a995508d2b188b8efb',1.79589633165466642378e+09,'ada <mailto:ada@example.org>',NULL,1.79589633165892910955e+09,NULL,'');
CREATE TABLE access_realm_revisions (
	label VARCHAR(64) NOT NULL, 
	rev INTEGER NOT NULL, 
	settings TEXT NOT NULL, 
	deprecated BOOLEAN NOT NULL, 
	changed_at DOUBLE NOT NULL, 
	changed_by TEXT NOT NULL, 
	PRIMARY KEY (label, rev)
);
INSERT INTO "access_realm_revisions" VALUES('museum',1,'{"label": "museum", "issuer": "https://sso.example.org", "audiences": ["archive"], "name": "", "config_url": "", "algorithms": ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"], "groups_claim": "groups", "subject_claims": ["sub", "preferred_username"], "leeway": 30, "logo": ""}',0,1.79589633166730213171e+09,'ada');
INSERT INTO "access_realm_revisions" VALUES('old',2,'{"label": "old", "issuer": "https://old.example.org", "audiences": ["archive"], "name": "", "config_url": "", "algorithms": ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"], "groups_claim": "groups", "subject_claims": ["sub", "preferred_username"], "leeway": 30, "logo": ""}',1,1.79589633167839550975e+09,'');
CREATE TABLE access_realms (
	label VARCHAR(64) NOT NULL, 
	rev INTEGER NOT NULL, 
	issuer TEXT NOT NULL, 
	settings TEXT NOT NULL, 
	deprecated BOOLEAN NOT NULL, 
	created_at DOUBLE NOT NULL, 
	created_by TEXT NOT NULL, 
	changed_at DOUBLE NOT NULL, 
	changed_by TEXT NOT NULL, 
	PRIMARY KEY (label), 
	CONSTRAINT access_realms_issuer_key UNIQUE (issuer)
);
INSERT INTO "access_realms" VALUES('museum',1,'https://sso.example.org','{"label": "museum", "issuer": "https://sso.example.org", "audiences": ["archive"], "name": "", "config_url": "", "algorithms": ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"], "groups_claim": "groups", "subject_claims": ["sub", "preferred_username"], "leeway": 30, "logo": ""}',0,1.79589633166730213171e+09,'ada',1.79589633166730213171e+09,'ada');
INSERT INTO "access_realms" VALUES('old',2,'https://old.example.org','{"label": "old", "issuer": "https://old.example.org", "audiences": ["archive"], "name": "", "config_url": "", "algorithms": ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"], "groups_claim": "groups", "subject_claims": ["sub", "preferred_username"], "leeway": 30, "logo": ""}',1,1.79589633167509341244e+09,'ada',1.79589633167839550975e+09,'');
CREATE TABLE access_rules (
	address VARCHAR(130) NOT NULL, 
	rev INTEGER NOT NULL, 
	acl TEXT NOT NULL, 
	changed_at DOUBLE NOT NULL, 
	changed_by TEXT NOT NULL, 
	PRIMARY KEY (address, rev)
);
INSERT INTO "access_rules" VALUES('/',1,'{"keys/users/administrator": ["admin"]}',1.79589633165179872508e+09,'ada <mailto:ada@example.org>');
INSERT INTO "access_rules" VALUES('/museum',1,'{"keys/users/alice": ["resources/read"]}',1.79589633165551042551e+09,'ada <mailto:ada@example.org>');
INSERT INTO "access_rules" VALUES('/museum/photos',1,'{"keys/users/alice": ["resources/write"]}',1.79589633166127395635e+09,'é');
CREATE TABLE access_sessions (
	digest VARCHAR(64) NOT NULL, 
	realm VARCHAR(64) NOT NULL, 
	subject TEXT NOT NULL, 
	groups TEXT NOT NULL, 
	display_name TEXT NOT NULL, 
	email TEXT NOT NULL, 
	key_id VARCHAR(16), 
	created_at DOUBLE NOT NULL, 
	expires_at DOUBLE NOT NULL, 
	PRIMARY KEY (digest)
);
CREATE TABLE access_sign_ins (
	digest VARCHAR(64) NOT NULL, 
	realm VARCHAR(64) NOT NULL, 
	nonce TEXT NOT NULL, 
	verifier TEXT NOT NULL, 
	onward TEXT NOT NULL, 
	expires_at DOUBLE NOT NULL, 
	PRIMARY KEY (digest)
);
CREATE TABLE access_state (data_version BIGINT NOT NULL);
INSERT INTO "access_state" VALUES(8);
CREATE TABLE belongings (
	name TEXT NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY (name)
);
CREATE TABLE ckan_attempts (
	portal VARCHAR(40) NOT NULL, 
	resource VARCHAR(200) NOT NULL, 
	at DOUBLE NOT NULL, 
	status INTEGER NOT NULL, 
	reason TEXT NOT NULL, 
	kept_as TEXT, 
	PRIMARY KEY (portal, resource, at)
);
CREATE TABLE ckan_counters (
	portal VARCHAR(40) NOT NULL, 
	dimension VARCHAR(16) NOT NULL, 
	name VARCHAR(300) NOT NULL, 
	day INTEGER NOT NULL, 
	links INTEGER NOT NULL, 
	broken INTEGER NOT NULL, 
	unknown INTEGER NOT NULL, 
	kept INTEGER NOT NULL, 
	broken_kept INTEGER NOT NULL, 
	datasets INTEGER NOT NULL, 
	broken_datasets INTEGER NOT NULL, 
	bytes BIGINT NOT NULL, 
	PRIMARY KEY (portal, dimension, name, day)
);
CREATE TABLE ckan_datasets (
	portal VARCHAR(40) NOT NULL, 
	id VARCHAR(200) NOT NULL, 
	name TEXT NOT NULL, 
	title TEXT NOT NULL, 
	organization TEXT NOT NULL, 
	links INTEGER NOT NULL, 
	broken INTEGER NOT NULL, 
	seen_at DOUBLE NOT NULL, 
	gone BOOLEAN NOT NULL, modified TEXT DEFAULT '' NOT NULL, 
	PRIMARY KEY (portal, id)
);
CREATE TABLE ckan_links (
	portal VARCHAR(40) NOT NULL, 
	resource VARCHAR(200) NOT NULL, 
	dataset VARCHAR(200) NOT NULL, 
	organization TEXT NOT NULL, 
	position INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	format TEXT NOT NULL, 
	url TEXT NOT NULL, 
	url_type TEXT NOT NULL, 
	host TEXT NOT NULL, 
	gone BOOLEAN NOT NULL, 
	asked_url TEXT, 
	status INTEGER, 
	is_broken BOOLEAN, 
	reason TEXT NOT NULL, 
	redirected_to TEXT, 
	moved_to TEXT, 
	fresh_until DOUBLE, 
	notes TEXT NOT NULL, 
	kept_as TEXT, 
	size BIGINT, 
	mimetype TEXT, 
	md5 VARCHAR(32), 
	sha256 VARCHAR(64), 
	etag TEXT, 
	last_modified TEXT, 
	fetched_at DOUBLE, 
	fetched_url TEXT, 
	first_failure DOUBLE, 
	last_success DOUBLE, 
	failure_count INTEGER NOT NULL, 
	created DOUBLE NOT NULL, 
	updated DOUBLE, cause VARCHAR(16) DEFAULT '' NOT NULL, 
	PRIMARY KEY (portal, resource)
);
CREATE TABLE ckan_portals (
	name VARCHAR(40) NOT NULL, 
	url TEXT NOT NULL, 
	settings TEXT NOT NULL, 
	key_id VARCHAR(16), 
	sealed BLOB, 
	polled_to TEXT NOT NULL, 
	swept_at DOUBLE NOT NULL, 
	PRIMARY KEY (name)
);
CREATE TABLE ckan_slots (
	name VARCHAR(300) NOT NULL, 
	next_at DOUBLE NOT NULL, 
	held TEXT NOT NULL, 
	failures INTEGER NOT NULL, 
	reason TEXT NOT NULL, booked_to DOUBLE DEFAULT '0' NOT NULL, pace DOUBLE DEFAULT '0' NOT NULL, 
	PRIMARY KEY (name)
);
CREATE TABLE copies (
	store VARCHAR(40) NOT NULL, 
	layout VARCHAR(16) NOT NULL, 
	project VARCHAR(129) NOT NULL, 
	resource TEXT NOT NULL, 
	number INTEGER NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	reason TEXT NOT NULL, 
	generation INTEGER NOT NULL, 
	keys INTEGER NOT NULL, 
	size BIGINT NOT NULL, 
	record VARCHAR(64) NOT NULL, 
	made_at DOUBLE, 
	verified_at DOUBLE, 
	due_at DOUBLE NOT NULL, lock_mode VARCHAR(16) DEFAULT '' NOT NULL, locked_until DOUBLE, 
	PRIMARY KEY (store, layout, project, resource, number)
);
CREATE TABLE copy_marks (
	name VARCHAR(40) NOT NULL, 
	value BIGINT NOT NULL, 
	PRIMARY KEY (name)
);
CREATE TABLE distillery_copies (
	destination VARCHAR(16) NOT NULL, 
	"key" VARCHAR(1024) NOT NULL, 
	component_id VARCHAR(200) NOT NULL, 
	path TEXT NOT NULL, 
	instance INTEGER NOT NULL, 
	size BIGINT NOT NULL, 
	md5 VARCHAR(32) NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	place TEXT NOT NULL, 
	uri TEXT NOT NULL, 
	verified_at DOUBLE NOT NULL, 
	PRIMARY KEY (destination, "key")
);
CREATE TABLE distillery_holds (
	name VARCHAR(300) NOT NULL, 
	holder VARCHAR(64) NOT NULL, 
	until DOUBLE NOT NULL, 
	PRIMARY KEY (name)
);
CREATE TABLE distillery_lines (
	batch VARCHAR(32) NOT NULL, 
	number INTEGER NOT NULL, 
	at DOUBLE NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	folder TEXT NOT NULL, 
	text TEXT NOT NULL, 
	PRIMARY KEY (batch, number)
);
CREATE TABLE distillery_remembered (
	name VARCHAR(500) NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY (name)
);
CREATE TABLE history (
	seq INTEGER NOT NULL, 
	job VARCHAR(32) NOT NULL, 
	step VARCHAR(32), 
	at DOUBLE NOT NULL, 
	what TEXT NOT NULL, 
	detail TEXT NOT NULL, 
	PRIMARY KEY (seq), 
	FOREIGN KEY(job) REFERENCES jobs (id)
);
INSERT INTO "history" VALUES(1,'08f273e62c7eac8b65ea51126fc190a1',NULL,1800000000.0,'submitted','by ada');
INSERT INTO "history" VALUES(2,'08f273e62c7eac8b65ea51126fc190a1',NULL,1800000002.0,'done','');
INSERT INTO "history" VALUES(3,'6e0a47286c6d80794a456b58d7f00358',NULL,1800000003.0,'submitted','by bob');
INSERT INTO "history" VALUES(4,'6e0a47286c6d80794a456b58d7f00358','a1f9675621d99b61e6134ee301c25f96',1800000005.0,'again','429');
INSERT INTO "history" VALUES(5,'6e0a47286c6d80794a456b58d7f00358','bb8c85ddfdfafb8c002fab1c00e0b73c',1800000005.0,'failed','404');
CREATE TABLE idempotency_answers (
	"key" VARCHAR(64) NOT NULL, 
	request VARCHAR(64) NOT NULL, 
	answer TEXT NOT NULL, 
	made DOUBLE NOT NULL, 
	PRIMARY KEY ("key")
);
INSERT INTO "idempotency_answers" VALUES('7f6e62617dd56b0ef7bd9bfef41b652f8cde37b2037b270ba5fd96acf853cdc7','f9d86028c6e0d64e225186f96acb69338b2c59764df79162107f5c4bb34d1310','{"id": "x"}',1.79589633172212791438e+09);
CREATE TABLE jobs (
	id VARCHAR(32) NOT NULL, 
	kind TEXT NOT NULL, 
	"key" TEXT, 
	former_key TEXT, 
	requester TEXT NOT NULL, 
	priority INTEGER NOT NULL, 
	given TEXT NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	period TEXT, 
	root VARCHAR(32) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	cancelling BOOLEAN NOT NULL, 
	created_at DOUBLE NOT NULL, 
	ended_at DOUBLE, 
	result TEXT, 
	reason TEXT NOT NULL, 
	steps INTEGER NOT NULL, 
	steps_done INTEGER NOT NULL, 
	steps_failed INTEGER NOT NULL, 
	steps_cancelled INTEGER NOT NULL, 
	size BIGINT NOT NULL, paused BOOLEAN DEFAULT false NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "jobs" VALUES('08f273e62c7eac8b65ea51126fc190a1','harvest','ended',NULL,'ada',1,'{"url":"https://example.org/"}','2b453224eb70fc4ce307f081b8879f59fabb6814a1899dfbcd14751637db6980',NULL,'57b15033bce4555129c12d80fa649b77','done',0,1800000000.0,1800000002.0,'{"files":2}','',1,1,0,0,0,0);
INSERT INTO "jobs" VALUES('6e0a47286c6d80794a456b58d7f00358','harvest','running',NULL,'bob',1,'null','366930ca2a6385a25cd4088ccabd332907263bb89992c57e72b4ce63fd18851e',NULL,'451c42d25f0cf382eaf8673798c83717','running',0,1800000003.0,NULL,NULL,'',4,1,1,0,0,0);
CREATE TABLE ledger_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT ledger_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "ledger_version" VALUES('0020');
CREATE TABLE limits (
	name TEXT NOT NULL, 
	closed_until DOUBLE NOT NULL, 
	blocks TEXT NOT NULL, closed_by TEXT DEFAULT '' NOT NULL, 
	PRIMARY KEY (name)
);
INSERT INTO "limits" VALUES('github (api.github.com)',1800000060.0,'[]','');
INSERT INTO "limits" VALUES('figshare (api.figshare.com)',0.0,'[[1800000010.0,4]]','');
CREATE TABLE nexus_crcs (
	digest VARCHAR(140) NOT NULL, 
	crc BIGINT NOT NULL, 
	PRIMARY KEY (digest)
);
INSERT INTO "nexus_crcs" VALUES('sha256:0000000000000000000000000000000000000000000000000000000000000000',4294967295);
CREATE TABLE nexus_selections (
	project VARCHAR(130) NOT NULL, 
	id TEXT NOT NULL, 
	entries TEXT NOT NULL, 
	created_at DOUBLE NOT NULL, 
	created_by TEXT NOT NULL, 
	expires_at DOUBLE NOT NULL, 
	PRIMARY KEY (project, id)
);
INSERT INTO "nexus_selections" VALUES('museum/photos','urn:x:1','[{"@type": "Resource", "resourceId": "https://example.org/r1", "project": "museum/photos"}]',1.79589633176228499408e+09,'keys/users/alice',1.17958963317622852323e+10);
CREATE TABLE outages (
	name TEXT NOT NULL, 
	since DOUBLE NOT NULL, 
	reason TEXT NOT NULL, 
	probe VARCHAR(32) NOT NULL, 
	PRIMARY KEY (name)
);
CREATE TABLE periods (
	name TEXT NOT NULL, 
	rule TEXT NOT NULL, 
	kind TEXT NOT NULL, 
	call TEXT NOT NULL, 
	requester TEXT NOT NULL, 
	priority INTEGER NOT NULL, 
	next_at DOUBLE NOT NULL, 
	last_job VARCHAR(32), 
	PRIMARY KEY (name)
);
CREATE TABLE policies (
	project TEXT NOT NULL, 
	text TEXT NOT NULL, 
	event BIGINT NOT NULL, 
	PRIMARY KEY (project)
);
CREATE TABLE purge_requests (
	project VARCHAR(129) NOT NULL, 
	resource TEXT NOT NULL, 
	reason TEXT NOT NULL, 
	requester TEXT NOT NULL, 
	requested_at DOUBLE NOT NULL, 
	PRIMARY KEY (project, resource)
);
CREATE TABLE reports (
	kind VARCHAR(16) NOT NULL, 
	project VARCHAR(129) NOT NULL, 
	made_at DOUBLE NOT NULL, 
	document TEXT NOT NULL, 
	PRIMARY KEY (kind, project)
);
CREATE TABLE retentions (
	project VARCHAR(129) NOT NULL, 
	resource TEXT NOT NULL, 
	mode VARCHAR(16) NOT NULL, 
	until_at DOUBLE NOT NULL, 
	hold BOOLEAN NOT NULL, 
	event BIGINT NOT NULL, 
	PRIMARY KEY (project, resource)
);
CREATE TABLE secrets (
	job VARCHAR(32) NOT NULL, 
	name TEXT NOT NULL, 
	key_id VARCHAR(16) NOT NULL, 
	sealed BLOB NOT NULL, 
	PRIMARY KEY (job, name), 
	FOREIGN KEY(job) REFERENCES jobs (id)
);
CREATE TABLE steps (
	id VARCHAR(32) NOT NULL, 
	job VARCHAR(32) NOT NULL, 
	parent VARCHAR(32), 
	joins BOOLEAN NOT NULL, 
	follows VARCHAR(32), 
	number INTEGER NOT NULL, 
	name TEXT NOT NULL, 
	given TEXT NOT NULL, 
	secrets TEXT NOT NULL, 
	priority INTEGER NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	outcome VARCHAR(16), 
	open_children INTEGER NOT NULL, 
	failed_children INTEGER NOT NULL, 
	attempt INTEGER NOT NULL, 
	failures INTEGER NOT NULL, 
	losses INTEGER NOT NULL, 
	max_failures INTEGER, 
	max_losses INTEGER, 
	next_at DOUBLE NOT NULL, 
	first_at DOUBLE, 
	sent_until DOUBLE, 
	lease_owner TEXT, 
	lease_until DOUBLE, 
	fence BIGINT NOT NULL, 
	what TEXT NOT NULL, 
	done BIGINT NOT NULL, 
	total BIGINT, 
	size BIGINT NOT NULL, 
	result TEXT, 
	reason TEXT NOT NULL, 
	ended_at DOUBLE, requester TEXT DEFAULT '' NOT NULL, claimed_at DOUBLE, outages INTEGER DEFAULT 0 NOT NULL, waits_for TEXT, 
	PRIMARY KEY (id), 
	FOREIGN KEY(job) REFERENCES jobs (id)
);
INSERT INTO "steps" VALUES('57b15033bce4555129c12d80fa649b77','08f273e62c7eac8b65ea51126fc190a1',NULL,0,NULL,1,'fetch','{"url":"https://example.org/"}','[]',1,'done','done',0,0,1,0,0,NULL,NULL,1800000002.0,1800000000.0,NULL,NULL,NULL,1,'',0,NULL,0,'{"files":2}','',1800000002.0,'ada',NULL,0,NULL);
INSERT INTO "steps" VALUES('451c42d25f0cf382eaf8673798c83717','6e0a47286c6d80794a456b58d7f00358',NULL,0,'412113758b15bf32d3d73c743473c76b',1,'fetch','null','[]',1,'done',NULL,1,1,1,0,0,NULL,NULL,1800000005.0,1800000003.0,NULL,NULL,NULL,1,'',0,NULL,0,'null','',1800000005.0,'bob',NULL,0,NULL);
INSERT INTO "steps" VALUES('a1f9675621d99b61e6134ee301c25f96','6e0a47286c6d80794a456b58d7f00358','451c42d25f0cf382eaf8673798c83717',0,NULL,2,'file','1','[]',1,'ready',NULL,0,0,1,0,0,NULL,NULL,1800000035.0,1800000005.0,NULL,NULL,NULL,1,'',0,NULL,0,NULL,'429',NULL,'bob',NULL,0,NULL);
INSERT INTO "steps" VALUES('bb8c85ddfdfafb8c002fab1c00e0b73c','6e0a47286c6d80794a456b58d7f00358','451c42d25f0cf382eaf8673798c83717',0,NULL,3,'file','2','[]',1,'failed','failed',0,0,1,1,0,NULL,NULL,1800000005.0,1800000005.0,NULL,NULL,NULL,1,'',0,NULL,0,NULL,'404',1800000005.0,'bob',NULL,0,NULL);
INSERT INTO "steps" VALUES('412113758b15bf32d3d73c743473c76b','6e0a47286c6d80794a456b58d7f00358','451c42d25f0cf382eaf8673798c83717',1,NULL,4,'join','null','[]',1,'waiting',NULL,0,0,0,0,0,NULL,NULL,1800000005.0,NULL,NULL,NULL,NULL,0,'',0,NULL,0,NULL,'',NULL,'bob',NULL,0,NULL);
CREATE TABLE store_revisions (
	name VARCHAR(40) NOT NULL, 
	rev INTEGER NOT NULL, 
	address TEXT NOT NULL, 
	request_price DOUBLE NOT NULL, 
	read_price DOUBLE NOT NULL, 
	credentials VARCHAR(10) NOT NULL, 
	changed_at DOUBLE NOT NULL, 
	changed_by TEXT NOT NULL, 
	PRIMARY KEY (name, rev)
);
CREATE TABLE stores (
	name VARCHAR(40) NOT NULL, 
	id VARCHAR(36) NOT NULL, 
	address TEXT NOT NULL, 
	key_id VARCHAR(16), 
	sealed BLOB, 
	request_price DOUBLE NOT NULL, 
	read_price DOUBLE NOT NULL, 
	read_rate DOUBLE, 
	logged BIGINT NOT NULL, 
	reason TEXT NOT NULL, 
	added_at DOUBLE NOT NULL, answered_at DOUBLE, silent_since DOUBLE, total BIGINT, free BIGINT, rev INTEGER DEFAULT '1' NOT NULL, 
	PRIMARY KEY (name)
);
CREATE TABLE subjects (
	kind TEXT NOT NULL, 
	subject TEXT NOT NULL, 
	job VARCHAR(32) NOT NULL, 
	open BOOLEAN NOT NULL, 
	PRIMARY KEY (kind, subject, job), 
	FOREIGN KEY(job) REFERENCES jobs (id)
);
CREATE TABLE tapes (
	store VARCHAR(40) NOT NULL, 
	tape VARCHAR(101) NOT NULL, 
	files BIGINT NOT NULL, 
	bytes BIGINT NOT NULL, 
	total BIGINT, 
	free BIGINT, 
	read_only BOOLEAN NOT NULL, 
	in_drive BOOLEAN NOT NULL, 
	written_at TEXT NOT NULL, 
	seen_at DOUBLE, 
	PRIMARY KEY (store, tape)
);
CREATE TABLE workers (
	id TEXT NOT NULL, 
	engine TEXT NOT NULL, 
	names TEXT NOT NULL, 
	started_at DOUBLE NOT NULL, 
	seen_at DOUBLE NOT NULL, 
	PRIMARY KEY (id)
);
CREATE INDEX jobs_created ON jobs (created_at, id);
CREATE INDEX jobs_former_key ON jobs (kind, former_key);
CREATE UNIQUE INDEX jobs_key ON jobs (kind, "key");
CREATE INDEX jobs_period ON jobs (period) WHERE state = 'running';
CREATE INDEX history_job ON history (job, seq);
CREATE INDEX steps_job ON steps (job, state);
CREATE INDEX steps_lease ON steps (lease_until) WHERE state = 'running';
CREATE INDEX steps_number ON steps (job, number);
CREATE INDEX steps_owner ON steps (lease_owner) WHERE state = 'running';
CREATE INDEX steps_parent ON steps (parent, number);
CREATE INDEX steps_ready ON steps (priority, next_at, number) WHERE state = 'ready';
CREATE INDEX ix_nexus_selections_expires_at ON nexus_selections (expires_at);
CREATE INDEX access_keys_name ON access_keys (name);
CREATE INDEX idempotency_answers_made ON idempotency_answers (made);
CREATE INDEX ckan_datasets_by_name ON ckan_datasets (portal, name);
CREATE INDEX ckan_links_by_dataset ON ckan_links (portal, dataset);
CREATE INDEX ckan_links_broken ON ckan_links (portal, is_broken, organization, resource);
CREATE INDEX ckan_links_by_content ON ckan_links (sha256);
CREATE INDEX ckan_links_by_url ON ckan_links (portal, url);
CREATE UNIQUE INDEX subjects_open ON subjects (kind, subject) WHERE open;
CREATE INDEX subjects_job ON subjects (job);
CREATE INDEX steps_turn ON steps (priority, requester, next_at, number) WHERE state = 'ready';
CREATE INDEX steps_waits ON steps (waits_for) WHERE waits_for IS NOT NULL;
CREATE INDEX distillery_copies_by_object ON distillery_copies (component_id);
CREATE INDEX copies_by_resource ON copies (project, resource);
CREATE INDEX copies_by_state ON copies (store, state, due_at);
CREATE INDEX copies_by_age ON copies (state, verified_at);
CREATE INDEX retentions_by_end ON retentions (until_at);
CREATE INDEX ix_access_sessions_expires_at ON access_sessions (expires_at);
CREATE INDEX jobs_state ON jobs (state, created_at, id);
CREATE INDEX access_failures_who ON access_failures (who, at);
CREATE INDEX jobs_requester ON jobs (requester, created_at, id);
CREATE INDEX ckan_links_longest ON ckan_links (portal, first_failure, resource) WHERE is_broken IS 1 AND gone IS 0;
CREATE INDEX ckan_links_longest_organization ON ckan_links (portal, organization, first_failure, resource) WHERE is_broken IS 1 AND gone IS 0;
CREATE INDEX ckan_links_longest_host ON ckan_links (portal, host, first_failure, resource) WHERE is_broken IS 1 AND gone IS 0;
CREATE INDEX ckan_links_longest_cause ON ckan_links (portal, cause, first_failure, resource) WHERE is_broken IS 1 AND gone IS 0;
COMMIT;
