PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE __diesel_schema_migrations (
       version VARCHAR(50) PRIMARY KEY NOT NULL,
       run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);
INSERT INTO "__diesel_schema_migrations" VALUES('20261122000001','2026-11-26 01:13:53');
INSERT INTO "__diesel_schema_migrations" VALUES('20261122000010','2026-11-26 01:13:53');
INSERT INTO "__diesel_schema_migrations" VALUES('20261122000011','2026-11-26 01:13:53');
INSERT INTO "__diesel_schema_migrations" VALUES('20261122000020','2026-11-26 01:13:53');
INSERT INTO "__diesel_schema_migrations" VALUES('20261122000030','2026-11-26 01:13:53');
INSERT INTO "__diesel_schema_migrations" VALUES('20261125000010','2026-11-26 01:13:53');
INSERT INTO "__diesel_schema_migrations" VALUES('20261125000041','2026-11-26 01:13:53');
INSERT INTO "__diesel_schema_migrations" VALUES('20261125000050','2026-11-26 01:13:53');
INSERT INTO "__diesel_schema_migrations" VALUES('20261125000051','2026-11-26 01:13:53');
CREATE TABLE audit_head (
    id      INTEGER PRIMARY KEY NOT NULL CHECK (id = 1),
    last_id BIGINT NOT NULL,
    hash    TEXT NOT NULL
);
INSERT INTO "audit_head" VALUES(1,66,'3394d83f9755485dfaf316f8b3494548612dc16d4eaf79246d3d25665628bd59');
CREATE TABLE audit_log (
    id          INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    at          TIMESTAMP NOT NULL,
    kind        TEXT NOT NULL,
    call_sid    TEXT,
    remote_addr TEXT,
    request_id  TEXT,
    outcome     TEXT NOT NULL,
    payload     TEXT NOT NULL
, prev_hash TEXT, hash TEXT);
INSERT INTO "audit_log" VALUES(1,'2026-11-26 01:13:55.801350','webhook.voicebot','00000000000018eb7349752f491418bl','127.0.0.1','01a2156a-9356-73d4-9994-c8a173ddb125','ok','{"CallFrom":"09876543211","CallSid":"00000000000018eb7349752f491418bl","CallTo":"08047112244","Created":"Thu, 26 Nov 2026 06:43:55","CurrentTime":"2026-11-26 06:43:55","DialWhomNumber":"","Direction":"incoming","From":"09876543211","HangupLatencyStartTime":"","HangupLatencyStartTimeExocc":"","ServerCode":"","To":"09513886363"}','0000000000000000000000000000000000000000000000000000000000000000','3c0b8ff5dbd107966fecaeb3cec8faa4af80ae6328266507b0c6482f363a0623');
INSERT INTO "audit_log" VALUES(2,'2026-11-26 01:13:55.801369','supervisor.start','00000000000018eb7349752f491418bl',NULL,NULL,'ok','{"actor":"CallActor","cause":null,"count":null}','3c0b8ff5dbd107966fecaeb3cec8faa4af80ae6328266507b0c6482f363a0623','2c1e19621f8c5a7c7b3e66528a976e1deab8862ccac5e7775ffe5da0092f244c');
INSERT INTO "audit_log" VALUES(3,'2026-11-26 01:13:55.801486','supervisor.start','00000000000018eb7349752f491418bl',NULL,NULL,'ok','{"actor":"ModelLeg","cause":null,"count":1}','2c1e19621f8c5a7c7b3e66528a976e1deab8862ccac5e7775ffe5da0092f244c','ef71fd67c02c5402272b51405e6dd669fd20b9fd7ba7d3dc02c26ec9aeb18575');
INSERT INTO "audit_log" VALUES(4,'2026-11-26 01:13:55.801386','call.model-dialled','00000000000018eb7349752f491418bl',NULL,NULL,'ok','{"attempt":1}','ef71fd67c02c5402272b51405e6dd669fd20b9fd7ba7d3dc02c26ec9aeb18575','72263d4fb1bf776d4599773d243ae103fd85cf69c45c85eb25ac8125ca13fb31');
INSERT INTO "audit_log" VALUES(5,'2026-11-26 01:13:55.803197','call.model-ready','00000000000018eb7349752f491418bl',NULL,NULL,'ok','{"after_ms":1}','72263d4fb1bf776d4599773d243ae103fd85cf69c45c85eb25ac8125ca13fb31','dc816dc3f786c6fe18bb3f1aab035fd1407372c02e5bf66f970fe3eab9f297c4');
INSERT INTO "audit_log" VALUES(6,'2026-11-26 01:13:55.819715','call.media-started','00000000000018eb7349752f491418bl',NULL,NULL,'ok','{"at_ms":0,"rate_hz":8000,"stream_sid":"v7msu7gshgwza62yk3qcc6vn466alqto"}','dc816dc3f786c6fe18bb3f1aab035fd1407372c02e5bf66f970fe3eab9f297c4','3390cf9fb3a337175c2ce558c8dd408e3d0b9be7a687dfd8585296c068cc2c10');
INSERT INTO "audit_log" VALUES(7,'2026-11-26 01:13:55.822948','webhook.voicebot','00000000000018eb7349769cc24218bl','127.0.0.1','01a2156a-936e-730f-92ba-8d57443257d7','ok','{"CallFrom":"09876543210","CallSid":"00000000000018eb7349769cc24218bl","CallTo":"08047112233","Created":"Thu, 26 Nov 2026 06:43:55","CurrentTime":"2026-11-26 06:43:55","DialWhomNumber":"","Direction":"incoming","From":"09876543210","HangupLatencyStartTime":"","HangupLatencyStartTimeExocc":"","ServerCode":"","To":"09513886363"}','3390cf9fb3a337175c2ce558c8dd408e3d0b9be7a687dfd8585296c068cc2c10','da41abd56ea157eaeb4e93c20f55605b53786c83798f7dd64600326a9fc2015c');
INSERT INTO "audit_log" VALUES(8,'2026-11-26 01:13:55.822969','supervisor.start','00000000000018eb7349769cc24218bl',NULL,NULL,'ok','{"actor":"CallActor","cause":null,"count":null}','da41abd56ea157eaeb4e93c20f55605b53786c83798f7dd64600326a9fc2015c','3745e9a104f04c0901f6ff23cd32f6369fd5b71e95f7911cc7fb4ab045939871');
INSERT INTO "audit_log" VALUES(9,'2026-11-26 01:13:55.822981','supervisor.start','00000000000018eb7349769cc24218bl',NULL,NULL,'ok','{"actor":"ModelLeg","cause":null,"count":1}','3745e9a104f04c0901f6ff23cd32f6369fd5b71e95f7911cc7fb4ab045939871','71f01eee4e93eb92a515b4499f4843983dc864c7372bd8b9580da9ef04e7606d');
INSERT INTO "audit_log" VALUES(10,'2026-11-26 01:13:55.822975','call.model-dialled','00000000000018eb7349769cc24218bl',NULL,NULL,'ok','{"attempt":1}','71f01eee4e93eb92a515b4499f4843983dc864c7372bd8b9580da9ef04e7606d','0db5fe42b9e7615552a3bd69a89eed23ad8a8e5f9ae98fa83502a19ee54f4b44');
INSERT INTO "audit_log" VALUES(11,'2026-11-26 01:13:55.827999','call.media-started','00000000000018eb7349769cc24218bl',NULL,NULL,'ok','{"at_ms":0,"rate_hz":8000,"stream_sid":"f747od03hrg6zwcn1nxpkp0qycawscv2"}','0db5fe42b9e7615552a3bd69a89eed23ad8a8e5f9ae98fa83502a19ee54f4b44','5676f5555710d128f9bba17b61b24333f573d7ce15d1a13d9d4485c1a579425c');
INSERT INTO "audit_log" VALUES(12,'2026-11-26 01:13:55.846448','call.model-ready','00000000000018eb7349769cc24218bl',NULL,NULL,'ok','{"after_ms":23}','5676f5555710d128f9bba17b61b24333f573d7ce15d1a13d9d4485c1a579425c','484e42715474bbaffbaae0382d538a3b82324ba7be8da66074027c889127f9a0');
INSERT INTO "audit_log" VALUES(13,'2026-11-26 01:13:55.856565','webhook.voicebot','fixture-waits-in-vain','127.0.0.1','01a2156a-938f-7783-b9ae-a16380cb8459','ok','{"CallFrom":"+919876500001","CallSid":"fixture-waits-in-vain","CallTo":"+918047112233","Direction":"incoming"}','484e42715474bbaffbaae0382d538a3b82324ba7be8da66074027c889127f9a0','ac888e57ab69a50fba11b137563a95d6a9924576c5d98a564ee2a6c51c24aa72');
INSERT INTO "audit_log" VALUES(14,'2026-11-26 01:13:55.856783','supervisor.start','fixture-waits-in-vain',NULL,NULL,'ok','{"actor":"CallActor","cause":null,"count":null}','ac888e57ab69a50fba11b137563a95d6a9924576c5d98a564ee2a6c51c24aa72','550d65e6a4b5e8fc8744e77ed1dc7ed040fb0a937ac2eb331197d94255b60c80');
INSERT INTO "audit_log" VALUES(15,'2026-11-26 01:13:55.856796','call.model-dialled','fixture-waits-in-vain',NULL,NULL,'ok','{"attempt":1}','550d65e6a4b5e8fc8744e77ed1dc7ed040fb0a937ac2eb331197d94255b60c80','1d4a137aaef8fb621aef53d38923abf8718644e49553f232dfcddb5e1cddcb9c');
INSERT INTO "audit_log" VALUES(16,'2026-11-26 01:13:55.856816','supervisor.start','fixture-waits-in-vain',NULL,NULL,'ok','{"actor":"ModelLeg","cause":null,"count":1}','1d4a137aaef8fb621aef53d38923abf8718644e49553f232dfcddb5e1cddcb9c','7d7939863a0ce6d67cc3c6a2324efaf823c35786bb9546a0c6c2431e17a3d963');
INSERT INTO "audit_log" VALUES(17,'2026-11-26 01:13:55.859376','call.model-ready','fixture-waits-in-vain',NULL,NULL,'ok','{"after_ms":2}','7d7939863a0ce6d67cc3c6a2324efaf823c35786bb9546a0c6c2431e17a3d963','63ff207792c56cd13a062e5e5ddb60a1aca88612872781ba3aa8a475820d9439');
INSERT INTO "audit_log" VALUES(18,'2026-11-26 01:13:55.866355','webhook.call-end','fixture-never-began','127.0.0.1','01a2156a-9399-768c-9f1d-074d95b5bc57','ok','{"CallFrom":"+919876500001","CallSid":"fixture-never-began","CallStatus":"busy","CallTo":"+918047112233","Direction":"incoming"}','63ff207792c56cd13a062e5e5ddb60a1aca88612872781ba3aa8a475820d9439','0c08b7741285378fab122687e0279e3b149bc58637eddbab6cc9c75558cafec4');
INSERT INTO "audit_log" VALUES(19,'2026-11-26 01:13:55.874809','webhook.voicebot','fixture-reported-over','127.0.0.1','01a2156a-93a2-755f-9b72-1d7fccf8bc77','ok','{"CallFrom":"+919876500001","CallSid":"fixture-reported-over","CallTo":"+918047112233","Direction":"incoming"}','0c08b7741285378fab122687e0279e3b149bc58637eddbab6cc9c75558cafec4','53c5caf2430d45a51463292e3698c309a9f0710cb30402ef5259cb727dc67bee');
INSERT INTO "audit_log" VALUES(20,'2026-11-26 01:13:55.874818','supervisor.start','fixture-reported-over',NULL,NULL,'ok','{"actor":"CallActor","cause":null,"count":null}','53c5caf2430d45a51463292e3698c309a9f0710cb30402ef5259cb727dc67bee','d3e9cb776e2ef1a4ac2566fb25a9ac959d98112e4b42db225c0c2adb3f2ff3d2');
INSERT INTO "audit_log" VALUES(21,'2026-11-26 01:13:55.874829','supervisor.start','fixture-reported-over',NULL,NULL,'ok','{"actor":"ModelLeg","cause":null,"count":1}','d3e9cb776e2ef1a4ac2566fb25a9ac959d98112e4b42db225c0c2adb3f2ff3d2','8071e95f4938255a1564cbea38c182f28a144e733262fa751365a05b131ea86c');
INSERT INTO "audit_log" VALUES(22,'2026-11-26 01:13:55.874823','call.model-dialled','fixture-reported-over',NULL,NULL,'ok','{"attempt":1}','8071e95f4938255a1564cbea38c182f28a144e733262fa751365a05b131ea86c','63c3a9f9ef4762726cfe8c1041653237a3ee815b363ae82c77a6cc489c92cfe3');
INSERT INTO "audit_log" VALUES(23,'2026-11-26 01:13:55.875124','call.model-ready','fixture-reported-over',NULL,NULL,'ok','{"after_ms":0}','63c3a9f9ef4762726cfe8c1041653237a3ee815b363ae82c77a6cc489c92cfe3','1b42cfe794de41589c3c8dc75b4873038b32ec2017aabdb115787a02a3fa198e');
INSERT INTO "audit_log" VALUES(24,'2026-11-26 01:13:55.881156','supervisor.stop','fixture-reported-over',NULL,NULL,'ok','{"actor":"CallActor","cause":"the call is over","count":null}','1b42cfe794de41589c3c8dc75b4873038b32ec2017aabdb115787a02a3fa198e','bb89726ccb6f3f87097310ca37b5669efc2406647dc6c7605263497a3361dc86');
INSERT INTO "audit_log" VALUES(25,'2026-11-26 01:13:55.881146','call.ended','fixture-reported-over',NULL,NULL,'completed','{"code":"carrier_reported","why":"the carrier reported the call as completed"}','bb89726ccb6f3f87097310ca37b5669efc2406647dc6c7605263497a3361dc86','ba485f2830b73c30bcab31e3fc1e60347c348000f83c21a1e18cd3fbfb88942e');
INSERT INTO "audit_log" VALUES(26,'2026-11-26 01:13:55.881764','supervisor.stop','fixture-reported-over',NULL,NULL,'ok','{"actor":"ModelLeg","cause":"its call let it go","count":1}','ba485f2830b73c30bcab31e3fc1e60347c348000f83c21a1e18cd3fbfb88942e','154da9fe281b5596d2486005b1ea492f3d68427818bd7d20ea408e051cb49ed9');
INSERT INTO "audit_log" VALUES(27,'2026-11-26 01:13:55.882040','webhook.call-end','fixture-reported-over','127.0.0.1','01a2156a-93a9-71ad-8f3c-041b2d2d29f9','ok','{"CallFrom":"+919876500001","CallSid":"fixture-reported-over","CallStatus":"completed","CallTo":"+918047112233","Direction":"incoming"}','154da9fe281b5596d2486005b1ea492f3d68427818bd7d20ea408e051cb49ed9','f1b1c380cd23c88af9b7492772c847ba8710963ef3b5397178e7eafdcbaa9b42');
INSERT INTO "audit_log" VALUES(28,'2026-11-26 01:13:55.890946','webhook.voicebot','fixture-stream-over','127.0.0.1','01a2156a-93b2-7589-b5d5-54d84571bbfb','ok','{"CallFrom":"+919876500001","CallSid":"fixture-stream-over","CallTo":"+918047112233","Direction":"incoming"}','f1b1c380cd23c88af9b7492772c847ba8710963ef3b5397178e7eafdcbaa9b42','469aa20e20933ae163ba4570483736f3108a78e7e9d8c9e83beec04354c9ef9a');
INSERT INTO "audit_log" VALUES(29,'2026-11-26 01:13:55.890951','supervisor.start','fixture-stream-over',NULL,NULL,'ok','{"actor":"CallActor","cause":null,"count":null}','469aa20e20933ae163ba4570483736f3108a78e7e9d8c9e83beec04354c9ef9a','2c80e4d392b30095fce83b3d2d926b38c5454209b9a2dce3123b8bd7727fefed');
INSERT INTO "audit_log" VALUES(30,'2026-11-26 01:13:55.890962','supervisor.start','fixture-stream-over',NULL,NULL,'ok','{"actor":"ModelLeg","cause":null,"count":1}','2c80e4d392b30095fce83b3d2d926b38c5454209b9a2dce3123b8bd7727fefed','97b84827ce64c600f6ffaeb54032377d9f830289535f194ac3709942aef117e4');
INSERT INTO "audit_log" VALUES(31,'2026-11-26 01:13:55.890956','call.model-dialled','fixture-stream-over',NULL,NULL,'ok','{"attempt":1}','97b84827ce64c600f6ffaeb54032377d9f830289535f194ac3709942aef117e4','473c388ba596d8267f9c7123daff31ef19ea97dc334ecd315e1d64e75e7fe938');
INSERT INTO "audit_log" VALUES(32,'2026-11-26 01:13:55.891628','call.model-ready','fixture-stream-over',NULL,NULL,'ok','{"after_ms":0}','473c388ba596d8267f9c7123daff31ef19ea97dc334ecd315e1d64e75e7fe938','ec7723c844beabfde0f9809ff106f6f01ff4dea0a6f867a95e79c2adf8a266b9');
INSERT INTO "audit_log" VALUES(33,'2026-11-26 01:13:55.896976','supervisor.stop','fixture-stream-over',NULL,NULL,'ok','{"actor":"CallActor","cause":"the call is over","count":null}','ec7723c844beabfde0f9809ff106f6f01ff4dea0a6f867a95e79c2adf8a266b9','ce32c80fae89a3b9d8749e3802b68d5e9bf7529720ba00131afd7bd4386d6acd');
INSERT INTO "audit_log" VALUES(34,'2026-11-26 01:13:55.896973','call.ended','fixture-stream-over',NULL,NULL,'failed','{"code":"no_media","why":"the media stream never started"}','ce32c80fae89a3b9d8749e3802b68d5e9bf7529720ba00131afd7bd4386d6acd','be86cd6fb9720ee0f7f05d7c8f8f86cbed4a5ebcef9a2a97bc59feafac29d88c');
INSERT INTO "audit_log" VALUES(35,'2026-11-26 01:13:55.897100','supervisor.stop','fixture-stream-over',NULL,NULL,'ok','{"actor":"ModelLeg","cause":"its call let it go","count":1}','be86cd6fb9720ee0f7f05d7c8f8f86cbed4a5ebcef9a2a97bc59feafac29d88c','c03ea0bcc6b7b1d11a06c43dd19d2c267a5e3417233c26c322983d8a1520bb37');
INSERT INTO "audit_log" VALUES(36,'2026-11-26 01:13:55.900392','webhook.passthru','fixture-stream-over','127.0.0.1','01a2156a-93b8-759a-941a-1166d472d557','hang-up','{"CallSid":"fixture-stream-over","Stream[Status]":"completed","Stream[StreamSID]":"x"}','c03ea0bcc6b7b1d11a06c43dd19d2c267a5e3417233c26c322983d8a1520bb37','2f7b8152ba1debc14412712f63d9db5d72ee1b5c365a790c34ee91063ca8e6f8');
INSERT INTO "audit_log" VALUES(37,'2026-11-26 01:13:55.909945','call.first-audio','00000000000018eb7349752f491418bl',NULL,NULL,'ok','{"after_ms":90}','2f7b8152ba1debc14412712f63d9db5d72ee1b5c365a790c34ee91063ca8e6f8','e56525a6162cb3828361bcc4b5d257173464d350bf5ac892d4b18c016eedbc91');
INSERT INTO "audit_log" VALUES(38,'2026-11-26 01:13:55.924519','call.first-audio','00000000000018eb7349769cc24218bl',NULL,NULL,'ok','{"after_ms":96}','e56525a6162cb3828361bcc4b5d257173464d350bf5ac892d4b18c016eedbc91','b18091e8a9e60b978c3dbbe1f6ee8a8c7776469dde545ad6e994c41999318f29');
INSERT INTO "audit_log" VALUES(39,'2026-11-26 01:14:15.858342','supervisor.stop','fixture-waits-in-vain',NULL,NULL,'ok','{"actor":"CallActor","cause":"the call is over","count":null}','b18091e8a9e60b978c3dbbe1f6ee8a8c7776469dde545ad6e994c41999318f29','b672732a07e609f7e095e77b964ae4613119b96c00993d1cdb84f45040fb7c18');
INSERT INTO "audit_log" VALUES(40,'2026-11-26 01:14:15.858647','supervisor.stop','fixture-waits-in-vain',NULL,NULL,'ok','{"actor":"ModelLeg","cause":"its call let it go","count":1}','b672732a07e609f7e095e77b964ae4613119b96c00993d1cdb84f45040fb7c18','8e4cf76f3f6ba768ad8865b9aaaa07608bcc08f526e5ea05d222757d021db587');
INSERT INTO "audit_log" VALUES(41,'2026-11-26 01:14:15.858314','call.answer-broken-off','fixture-waits-in-vain',NULL,NULL,'ok','{"by":"call_ended"}','8e4cf76f3f6ba768ad8865b9aaaa07608bcc08f526e5ea05d222757d021db587','aacc873f34a7706b6a8c025c2cc91317bba58d4d11a4abed0d75b90d151c6311');
INSERT INTO "audit_log" VALUES(42,'2026-11-26 01:14:15.858334','call.ended','fixture-waits-in-vain',NULL,NULL,'failed','{"code":"no_media","why":"the media stream never started"}','aacc873f34a7706b6a8c025c2cc91317bba58d4d11a4abed0d75b90d151c6311','8d2a66ecad7a0173cf91dff294017025a21976a7f823221bed0c6f5d47260744');
INSERT INTO "audit_log" VALUES(43,'2026-11-26 01:14:37.821874','call.tool-called','00000000000018eb7349752f491418bl',NULL,NULL,'ok','{"arguments":"{\"reason\":\"the caller said goodbye\"}","call_id":"call_oCQrbtPzgQfquMN9ckStE","name":"end_call"}','8d2a66ecad7a0173cf91dff294017025a21976a7f823221bed0c6f5d47260744','b65e24c321c3fcc30b7f595429718289bc9d03cb89e13403eb0f46fd54c51d13');
INSERT INTO "audit_log" VALUES(44,'2026-11-26 01:14:37.931556','call.tool-called','00000000000018eb7349769cc24218bl',NULL,NULL,'ok','{"arguments":"{\"reason\":\"the caller said goodbye\"}","call_id":"call_aTBXrgOeZUJey7bs8MDIK","name":"end_call"}','b65e24c321c3fcc30b7f595429718289bc9d03cb89e13403eb0f46fd54c51d13','b142ec21905e3da7c579ae8e1f7a7ef98a76eaad3c3a21677935d4d3febd2e0d');
INSERT INTO "audit_log" VALUES(45,'2026-11-26 01:14:39.940905','supervisor.stop','00000000000018eb7349752f491418bl',NULL,NULL,'ok','{"actor":"CallActor","cause":"the call is over","count":null}','b142ec21905e3da7c579ae8e1f7a7ef98a76eaad3c3a21677935d4d3febd2e0d','64e96cb9ae56b92ddd0ec9bbc36712925c2a7698a78b1a8b3540ce649b10328d');
INSERT INTO "audit_log" VALUES(46,'2026-11-26 01:14:39.940897','call.ended','00000000000018eb7349752f491418bl',NULL,NULL,'completed','{"code":"agent_hung_up","why":"the agent ended the call"}','64e96cb9ae56b92ddd0ec9bbc36712925c2a7698a78b1a8b3540ce649b10328d','1e641af56d7a65508b7843092d2d13f892f1e835f3e84a954398641fb8648050');
INSERT INTO "audit_log" VALUES(47,'2026-11-26 01:14:39.941090','supervisor.stop','00000000000018eb7349752f491418bl',NULL,NULL,'ok','{"actor":"ModelLeg","cause":"its call let it go","count":1}','1e641af56d7a65508b7843092d2d13f892f1e835f3e84a954398641fb8648050','5c437431fc85d94e0d1f6be76dbdc4e804d0b9510e19f354716b271c92e88200');
INSERT INTO "audit_log" VALUES(48,'2026-11-26 01:14:40.051778','supervisor.stop','00000000000018eb7349769cc24218bl',NULL,NULL,'ok','{"actor":"CallActor","cause":"the call is over","count":null}','5c437431fc85d94e0d1f6be76dbdc4e804d0b9510e19f354716b271c92e88200','4b8a233b3a9a14fc9c50f7c6e99ded5672e04c08d5b0cfe584b40ccc459ace0d');
INSERT INTO "audit_log" VALUES(49,'2026-11-26 01:14:40.051770','call.ended','00000000000018eb7349769cc24218bl',NULL,NULL,'completed','{"code":"agent_hung_up","why":"the agent ended the call"}','4b8a233b3a9a14fc9c50f7c6e99ded5672e04c08d5b0cfe584b40ccc459ace0d','bc353e0a0e375b8a5377aab36b41c94b0a09966372243f49d17137ab700e9c72');
INSERT INTO "audit_log" VALUES(50,'2026-11-26 01:14:40.051979','supervisor.stop','00000000000018eb7349769cc24218bl',NULL,NULL,'ok','{"actor":"ModelLeg","cause":"its call let it go","count":1}','bc353e0a0e375b8a5377aab36b41c94b0a09966372243f49d17137ab700e9c72','d31576cac757ff03cc21b436e4f4b892e104933c8e20c92a16dfc85291faa923');
INSERT INTO "audit_log" VALUES(51,'2026-11-26 01:14:40.808004','webhook.passthru','00000000000018eb7349752f491418bl','127.0.0.1','01a2156b-4325-7591-a98e-c6d16a2192b5','hang-up','{"CallFrom":"09876543211","CallSid":"00000000000018eb7349752f491418bl","CallTo":"08047112244","CallType":"call-attempt","Created":"Thu, 26 Nov 2026 06:43:55","CurrentTime":"2026-11-26 06:44:40","DialWhomNumber":"","Direction":"incoming","EndTime":"1970-01-01 05:30:00","From":"09876543211","HangupLatencyStartTime":"","HangupLatencyStartTimeExocc":"","ServerCode":"","Stream[DisconnectedBy]":"bot","Stream[Duration]":"44","Stream[Status]":"completed","Stream[StreamSID]":"v7msu7gshgwza62yk3qcc6vn466alqto","Stream[StreamUrl]":"ws://localhost:29692/exotel/media/MDAwMDAwMDAwMDAwMThlYjczNDk3NTJmNDkxNDE4Ymw.1795655695.AZPbLQh62aKeA5WBOGWhQU_CFlHCupLvGTGGz3obXGo","To":"08047112244","flow_id":"228040"}','d31576cac757ff03cc21b436e4f4b892e104933c8e20c92a16dfc85291faa923','7b15708287a505d6c06c7d2fd2c91c99162f4b97ac958748174a3f19f3fddfb7');
INSERT INTO "audit_log" VALUES(52,'2026-11-26 01:14:40.808722','webhook.passthru','00000000000018eb7349769cc24218bl','127.0.0.1','01a2156b-4325-7591-a98e-c6d2e089c49c','hang-up','{"CallFrom":"09876543210","CallSid":"00000000000018eb7349769cc24218bl","CallTo":"08047112233","CallType":"call-attempt","Created":"Thu, 26 Nov 2026 06:43:55","CurrentTime":"2026-11-26 06:44:40","DialWhomNumber":"","Direction":"incoming","EndTime":"1970-01-01 05:30:00","From":"09876543210","HangupLatencyStartTime":"","HangupLatencyStartTimeExocc":"","ServerCode":"","Stream[DisconnectedBy]":"bot","Stream[Duration]":"44","Stream[Status]":"completed","Stream[StreamSID]":"f747od03hrg6zwcn1nxpkp0qycawscv2","Stream[StreamUrl]":"ws://localhost:29692/exotel/media/MDAwMDAwMDAwMDAwMThlYjczNDk3NjljYzI0MjE4Ymw.1795655695.8cpFEQmY97hJJ91q4beRXEF5ghmDBGMFkKYcP_w0OnA","To":"08047112233","flow_id":"228040"}','7b15708287a505d6c06c7d2fd2c91c99162f4b97ac958748174a3f19f3fddfb7','c441a561fe4c05489b560232819583b05cb2f4ab14869fd7fba9fd45d59326f3');
INSERT INTO "audit_log" VALUES(53,'2026-11-26 01:14:40.809771','webhook.call-end','00000000000018eb7349752f491418bl','127.0.0.1','01a2156b-4329-722f-8dc2-67d53f643262','ok','{"CallSid":"00000000000018eb7349752f491418bl","DateUpdated":"2026-11-26 06:44:40","RecordingUrl":"","Status":"completed"}','c441a561fe4c05489b560232819583b05cb2f4ab14869fd7fba9fd45d59326f3','7f0915ec0211538f3cf8359cb7293257ac5470350135ff44cf03cfb3cd7a8dc4');
INSERT INTO "audit_log" VALUES(54,'2026-11-26 01:14:40.810147','webhook.call-end','00000000000018eb7349769cc24218bl','127.0.0.1','01a2156b-4329-722f-8dc2-67d6644ed319','ok','{"CallSid":"00000000000018eb7349769cc24218bl","DateUpdated":"2026-11-26 06:44:40","RecordingUrl":"","Status":"completed"}','7f0915ec0211538f3cf8359cb7293257ac5470350135ff44cf03cfb3cd7a8dc4','6872b1af86b42dc41f49b1bac7606e6fba390b8d9483de99e238b4ca522d3941');
INSERT INTO "audit_log" VALUES(55,'2026-11-26 01:14:40.823270','webhook.voicebot','00000000000018eb7353f21978b218bl','127.0.0.1','01a2156b-4336-728c-9f39-b7827cb2d72b','ok','{"CallFrom":"09876543212","CallSid":"00000000000018eb7353f21978b218bl","CallTo":"08047112233","Created":"Thu, 26 Nov 2026 06:44:40","CurrentTime":"2026-11-26 06:44:40","DialWhomNumber":"","Direction":"incoming","From":"09876543212","HangupLatencyStartTime":"","HangupLatencyStartTimeExocc":"","ServerCode":"","To":"09513886363"}','6872b1af86b42dc41f49b1bac7606e6fba390b8d9483de99e238b4ca522d3941','3d1891ae76ea20b2ab06ebb2c63f8b6a273effe76b2b8936a6c95fc378118d8f');
INSERT INTO "audit_log" VALUES(56,'2026-11-26 01:14:40.823280','supervisor.start','00000000000018eb7353f21978b218bl',NULL,NULL,'ok','{"actor":"CallActor","cause":null,"count":null}','3d1891ae76ea20b2ab06ebb2c63f8b6a273effe76b2b8936a6c95fc378118d8f','1b31a8583feb8cc97718acb114ff09ebf7334065309fd76b6ab25a47966f6ae4');
INSERT INTO "audit_log" VALUES(57,'2026-11-26 01:14:40.823414','supervisor.start','00000000000018eb7353f21978b218bl',NULL,NULL,'ok','{"actor":"ModelLeg","cause":null,"count":1}','1b31a8583feb8cc97718acb114ff09ebf7334065309fd76b6ab25a47966f6ae4','1c5d551af66ff3c7a6b95e620ba150fbab99f6c8ad70400cb93c258ba731a7b6');
INSERT INTO "audit_log" VALUES(58,'2026-11-26 01:14:40.823288','call.model-dialled','00000000000018eb7353f21978b218bl',NULL,NULL,'ok','{"attempt":1}','1c5d551af66ff3c7a6b95e620ba150fbab99f6c8ad70400cb93c258ba731a7b6','dfde39ae1c98e72dd1d6277fdc95810dbe7757062f74ff110680a1095b84057d');
INSERT INTO "audit_log" VALUES(59,'2026-11-26 01:14:40.824135','call.model-ready','00000000000018eb7353f21978b218bl',NULL,NULL,'ok','{"after_ms":0}','dfde39ae1c98e72dd1d6277fdc95810dbe7757062f74ff110680a1095b84057d','455a5c67bf1a27897bae9148defe1aa4fb1c994848cf671addd1d7a2eee9ea04');
INSERT INTO "audit_log" VALUES(60,'2026-11-26 01:14:40.826194','call.media-started','00000000000018eb7353f21978b218bl',NULL,NULL,'ok','{"at_ms":0,"rate_hz":8000,"stream_sid":"8pcsaeedtjnv2h49ph1bmoqywwpwnlvf"}','455a5c67bf1a27897bae9148defe1aa4fb1c994848cf671addd1d7a2eee9ea04','b1987ee4ff34b8634b5b1e82061f91fc849045d5e48fd15bbafd7af1f1daeb4b');
INSERT INTO "audit_log" VALUES(61,'2026-11-26 01:14:40.966362','call.first-audio','00000000000018eb7353f21978b218bl',NULL,NULL,'ok','{"after_ms":140}','b1987ee4ff34b8634b5b1e82061f91fc849045d5e48fd15bbafd7af1f1daeb4b','49a5a63f56d22d571ad0321ddb89e747235bf7c0e403fa9e84d32181842044e4');
INSERT INTO "audit_log" VALUES(62,'2026-11-26 01:14:46.836577','webhook.voicebot','fixture-still-waits','127.0.0.1','01a2156b-5ab3-73f0-95e9-846f005f4eef','ok','{"CallFrom":"+919876500001","CallSid":"fixture-still-waits","CallTo":"+918047112233","Direction":"incoming"}','49a5a63f56d22d571ad0321ddb89e747235bf7c0e403fa9e84d32181842044e4','c955d9321a6f123e364465caa5cd7d91b1919a6a337732f77b7ce96308660c35');
INSERT INTO "audit_log" VALUES(63,'2026-11-26 01:14:46.836586','supervisor.start','fixture-still-waits',NULL,NULL,'ok','{"actor":"CallActor","cause":null,"count":null}','c955d9321a6f123e364465caa5cd7d91b1919a6a337732f77b7ce96308660c35','c32cc711dce9792d68603de956c800fc4a86862230819ced2bf4f231c5317fdd');
INSERT INTO "audit_log" VALUES(64,'2026-11-26 01:14:46.836606','supervisor.start','fixture-still-waits',NULL,NULL,'ok','{"actor":"ModelLeg","cause":null,"count":1}','c32cc711dce9792d68603de956c800fc4a86862230819ced2bf4f231c5317fdd','4259581a74fbaaaaa95cc941042bf853e5c676a0057f57201ba1529072d659a1');
INSERT INTO "audit_log" VALUES(65,'2026-11-26 01:14:46.836596','call.model-dialled','fixture-still-waits',NULL,NULL,'ok','{"attempt":1}','4259581a74fbaaaaa95cc941042bf853e5c676a0057f57201ba1529072d659a1','4c128180c0a108959e3596077af194c52e9a65ac547472850a22d3b138f44e6f');
INSERT INTO "audit_log" VALUES(66,'2026-11-26 01:14:46.837220','call.model-ready','fixture-still-waits',NULL,NULL,'ok','{"after_ms":0}','4c128180c0a108959e3596077af194c52e9a65ac547472850a22d3b138f44e6f','3394d83f9755485dfaf316f8b3494548612dc16d4eaf79246d3d25665628bd59');
CREATE TABLE calls (
    id               INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    call_sid         TEXT NOT NULL,
    client_id        BIGINT REFERENCES clients (id),
    from_number      TEXT,
    from_raw         TEXT,
    to_number        TEXT,
    to_raw           TEXT,
    direction        TEXT,
    entry            TEXT,
    status           TEXT NOT NULL,
    carrier_status   TEXT,
    ended_by         TEXT,
    ended_why        TEXT,
    started_at       TIMESTAMP NOT NULL,
    answered_at      TIMESTAMP,
    media_at         TIMESTAMP,
    ended_at         TIMESTAMP,
    stream_sid       TEXT,
    duration_ms      BIGINT,
    caller_talk_ms   BIGINT,
    agent_talk_ms    BIGINT,
    turn_count       INTEGER,
    interruptions    INTEGER,
    first_audio_ms   BIGINT,
    answer_p50_ms    BIGINT,
    answer_p95_ms    BIGINT,
    answer_max_ms    BIGINT,
    unheard_ms       BIGINT,
    model_reconnects INTEGER,
    frames_lost      BIGINT,
    tokens           TEXT,
    cost_microusd    BIGINT
, ended_code TEXT, ended_rank SMALLINT, ended_at_source TEXT, ended_rev INTEGER NOT NULL DEFAULT 0);
INSERT INTO "calls" VALUES(1,'00000000000018eb7349752f491418bl',2,'+919876543211','09876543211','+918047112244','08047112244','incoming','voicebot','completed','completed','gateway','the agent ended the call','2026-11-26 01:13:55.798660',NULL,'2026-11-26 01:13:55.819715749','2026-11-26 01:14:39.940897145','v7msu7gshgwza62yk3qcc6vn466alqto',44121,8241,30062,10,0,90,590,640,640,0,0,0,'{"input_text":145,"input_audio":1634,"cached_text":87,"cached_audio":873,"output_text":135,"output_audio":599}',66544,'agent_hung_up',40,'gateway',2);
INSERT INTO "calls" VALUES(2,'00000000000018eb7349769cc24218bl',1,'+919876543210','09876543210','+918047112233','08047112233','incoming','voicebot','completed','completed','gateway','the agent ended the call','2026-11-26 01:13:55.822188',NULL,'2026-11-26 01:13:55.827999060','2026-11-26 01:14:40.051770017','f747od03hrg6zwcn1nxpkp0qycawscv2',44223,8240,30062,10,0,96,629,675,675,0,0,0,'{"input_text":145,"input_audio":1634,"cached_text":87,"cached_audio":873,"output_text":135,"output_audio":599}',66544,'agent_hung_up',40,'gateway',2);
INSERT INTO "calls" VALUES(3,'fixture-waits-in-vain',1,'+919876500001','+919876500001','+918047112233','+918047112233','incoming','voicebot','failed',NULL,'gateway','the media stream never started','2026-11-26 01:13:55.855932',NULL,NULL,'2026-11-26 01:14:15.858334351',NULL,NULL,0,0,1,0,NULL,NULL,NULL,NULL,0,0,0,'{"input_text":29,"input_audio":0,"cached_text":0,"cached_audio":0,"output_text":18,"output_audio":90}',6308,'no_media',10,'gateway',1);
INSERT INTO "calls" VALUES(4,'fixture-never-began',1,'+919876500001','+919876500001','+918047112233','+918047112233','incoming',NULL,'busy','busy','carrier','the carrier reported the call as busy','2026-11-26 01:13:55.865531616',NULL,NULL,'2026-11-26 01:13:55.865531616',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'carrier_reported',32,'gateway',1);
INSERT INTO "calls" VALUES(5,'fixture-reported-over',1,'+919876500001','+919876500001','+918047112233','+918047112233','incoming','voicebot','completed','completed','carrier','the carrier reported the call as completed','2026-11-26 01:13:55.874225',NULL,NULL,'2026-11-26 01:13:55.881136705',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'carrier_reported',34,'gateway',1);
INSERT INTO "calls" VALUES(7,'fixture-stream-over',1,'+919876500001','+919876500001','+918047112233','+918047112233','incoming','voicebot','completed','completed','carrier','the carrier reported the call as completed','2026-11-26 01:13:55.890341',NULL,NULL,'2026-11-26 01:13:55.899833976',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,'carrier_reported',34,'gateway',2);
INSERT INTO "calls" VALUES(40,'00000000000018eb7353f21978b218bl',1,'+919876543212','09876543212','+918047112233','08047112233','incoming','voicebot','in-progress',NULL,NULL,NULL,'2026-11-26 01:14:40.822593',NULL,'2026-11-26 01:14:40.826194214',NULL,'8pcsaeedtjnv2h49ph1bmoqywwpwnlvf',NULL,0,4501,1,0,140,NULL,NULL,NULL,0,0,0,'{"input_text":29,"input_audio":0,"cached_text":0,"cached_audio":0,"output_text":18,"output_audio":90}',NULL,NULL,NULL,NULL,0);
INSERT INTO "calls" VALUES(43,'fixture-still-waits',1,'+919876500001','+919876500001','+918047112233','+918047112233','incoming','voicebot','in-progress',NULL,NULL,NULL,'2026-11-26 01:14:46.835646',NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,0);
CREATE TABLE clients (
    id                      INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    name                    TEXT NOT NULL,
    exotel_number           TEXT NOT NULL,
    active                  BOOLEAN NOT NULL DEFAULT TRUE,
    region                  TEXT NOT NULL DEFAULT 'IN',
    time_zone               TEXT NOT NULL DEFAULT 'Asia/Kolkata',
    greeting                TEXT NOT NULL,
    language                TEXT NOT NULL,
    voice                   TEXT,
    instructions            TEXT NOT NULL,
    model                   TEXT,
    tools                   TEXT NOT NULL DEFAULT '[]',
    max_concurrent          INTEGER,
    calls_per_minute        INTEGER,
    caller_calls_per_minute INTEGER,
    max_call_secs           INTEGER,
    recording               BOOLEAN NOT NULL DEFAULT FALSE,
    created_at              TIMESTAMP NOT NULL,
    updated_at              TIMESTAMP NOT NULL
, events_url TEXT, events_secret TEXT, transcription_language TEXT);
INSERT INTO "clients" VALUES(1,'City Clinic','+918047112233',1,'IN','Asia/Kolkata','Welcome.','en-IN',NULL,'You answer the phone. Be brief, friendly and helpful; answer in the caller''s language.',NULL,'[]',NULL,1000,NULL,NULL,1,'2026-11-26 01:13:53.732731166','2026-11-26 01:13:53.734479158','http://127.0.0.1:9/hook','whsec_b54328994b0b1ed95bf74cb68920a12c81db415b44a476623db5a2af2b5aacf6',NULL);
INSERT INTO "clients" VALUES(2,'Quiet','+918047112244',1,'IN','Asia/Kolkata','Hello.','en-IN',NULL,'You answer the phone. Be brief, friendly and helpful; answer in the caller''s language.',NULL,'[]',NULL,1000,NULL,NULL,0,'2026-11-26 01:13:53.747931975','2026-11-26 01:13:53.747931975',NULL,NULL,NULL);
CREATE TABLE jobs (
    id         INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    kind       TEXT NOT NULL,
    key        TEXT NOT NULL,
    payload    TEXT NOT NULL,
    status     TEXT NOT NULL,
    attempts   INTEGER NOT NULL DEFAULT 0,
    run_at     TIMESTAMP NOT NULL,
    last_error TEXT,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL
, lease_owner TEXT, leased_until TIMESTAMP, ordering TEXT, node TEXT);
INSERT INTO "jobs" VALUES(1,'send_event','call.started/00000000000018eb7349769cc24218bl','{"at":"2026-11-26T01:13:55.822405Z","call_sid":"00000000000018eb7349769cc24218bl","id":"evt_01a2156a936e730f92ba8d58785a3f30","recording_id":null,"type":"call.started"}','waiting',7,'2026-11-26 01:15:01.730024005','the host cannot be connected to: Connection refused (os error 111)','2026-11-26 01:13:55.822408001','2026-11-26 01:14:31.945745130',NULL,NULL,'00000000000018eb7349769cc24218bl',NULL);
INSERT INTO "jobs" VALUES(2,'send_event','call.started/fixture-waits-in-vain','{"at":"2026-11-26T01:13:55.856058Z","call_sid":"fixture-waits-in-vain","id":"evt_01a2156a93907675a8aa1b5386a0741f","recording_id":null,"type":"call.started"}','waiting',7,'2026-11-26 01:14:54.049164760','the host cannot be connected to: Connection refused (os error 111)','2026-11-26 01:13:55.856059754','2026-11-26 01:14:23.163394645',NULL,NULL,'fixture-waits-in-vain',NULL);
INSERT INTO "jobs" VALUES(3,'send_event','call.started/fixture-reported-over','{"at":"2026-11-26T01:13:55.874367Z","call_sid":"fixture-reported-over","id":"evt_01a2156a93a2755f9b721d80624daea5","recording_id":null,"type":"call.started"}','waiting',6,'2026-11-26 01:14:51.746363683','the host cannot be connected to: Connection refused (os error 111)','2026-11-26 01:13:55.874368352','2026-11-26 01:14:20.994527172',NULL,NULL,'fixture-reported-over',NULL);
INSERT INTO "jobs" VALUES(4,'send_event','call.ended/fixture-reported-over','{"at":"2026-11-26T01:13:55.881547Z","call_sid":"fixture-reported-over","id":"evt_01a2156a93a971ad8f3c041c780f758a","recording_id":null,"type":"call.ended"}','waiting',0,'2026-11-26 01:13:55.898992450',NULL,'2026-11-26 01:13:55.881548215','2026-11-26 01:13:55.881548215',NULL,NULL,'fixture-reported-over',NULL);
INSERT INTO "jobs" VALUES(5,'send_event','call.started/fixture-stream-over','{"at":"2026-11-26T01:13:55.890471Z","call_sid":"fixture-stream-over","id":"evt_01a2156a93b27589b5d554d996a4e690","recording_id":null,"type":"call.started"}','waiting',7,'2026-11-26 01:14:49.411696093','the host cannot be connected to: Connection refused (os error 111)','2026-11-26 01:13:55.890472809','2026-11-26 01:14:37.801328765',NULL,NULL,'fixture-stream-over',NULL);
INSERT INTO "jobs" VALUES(7,'send_event','call.ended/fixture-stream-over','{"at":"2026-11-26T01:13:55.899028Z","call_sid":"fixture-stream-over","id":"evt_01a2156a93bb7262817339c86a7d5346","recording_id":null,"type":"call.ended"}','waiting',0,'2026-11-26 01:14:00.900057215',NULL,'2026-11-26 01:13:55.899029193','2026-11-26 01:13:55.899029193',NULL,NULL,'fixture-stream-over',NULL);
INSERT INTO "jobs" VALUES(9,'send_event','call.ended/fixture-waits-in-vain','{"at":"2026-11-26T01:14:15.960290Z","call_sid":"fixture-waits-in-vain","id":"evt_01a2156ae21870f98a06170f21155735","recording_id":null,"type":"call.ended"}','waiting',0,'2026-11-26 01:15:20.960275001',NULL,'2026-11-26 01:14:15.960293389','2026-11-26 01:14:15.960293389',NULL,NULL,'fixture-waits-in-vain',NULL);
INSERT INTO "jobs" VALUES(10,'encode_recording','1','{"recording_id":1}','done',1,'2026-11-26 01:14:40.112124486',NULL,'2026-11-26 01:14:40.112125274','2026-11-26 01:14:40.799474776',NULL,NULL,NULL,'fixture');
INSERT INTO "jobs" VALUES(11,'send_event','call.ended/00000000000018eb7349769cc24218bl','{"at":"2026-11-26T01:14:40.154067Z","call_sid":"00000000000018eb7349769cc24218bl","id":"evt_01a2156b409a75e48deec35fd05f3258","recording_id":null,"type":"call.ended"}','waiting',0,'2026-11-26 01:14:40.154055963',NULL,'2026-11-26 01:14:40.154069278','2026-11-26 01:14:40.154069278',NULL,NULL,'00000000000018eb7349769cc24218bl',NULL);
INSERT INTO "jobs" VALUES(12,'send_event','recording.stored/00000000000018eb7349769cc24218bl/1','{"at":"2026-11-26T01:14:40.776188Z","call_sid":"00000000000018eb7349769cc24218bl","id":"evt_01a2156b430873c888c460eaa6b2ade9","recording_id":1,"type":"recording.stored"}','waiting',0,'2026-11-26 01:14:40.776171298',NULL,'2026-11-26 01:14:40.776191314','2026-11-26 01:14:40.776191314',NULL,NULL,'00000000000018eb7349769cc24218bl',NULL);
INSERT INTO "jobs" VALUES(15,'send_event','call.started/00000000000018eb7353f21978b218bl','{"at":"2026-11-26T01:14:40.822731Z","call_sid":"00000000000018eb7353f21978b218bl","id":"evt_01a2156b4336728c9f39b783ede2f171","recording_id":null,"type":"call.started"}','waiting',4,'2026-11-26 01:14:51.225712549','the host cannot be connected to: Connection refused (os error 111)','2026-11-26 01:14:40.822733172','2026-11-26 01:14:45.005035856',NULL,NULL,'00000000000018eb7353f21978b218bl',NULL);
INSERT INTO "jobs" VALUES(16,'send_event','call.started/fixture-still-waits','{"at":"2026-11-26T01:14:46.835796Z","call_sid":"fixture-still-waits","id":"evt_01a2156b5ab373f095e98470230509e6","recording_id":null,"type":"call.started"}','waiting',2,'2026-11-26 01:14:49.521917707','the host cannot be connected to: Connection refused (os error 111)','2026-11-26 01:14:46.835798240','2026-11-26 01:14:47.813101180',NULL,NULL,'fixture-still-waits',NULL);
CREATE TABLE recordings (
    id         INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    call_id    BIGINT NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
    source_url TEXT NOT NULL,
    status     TEXT NOT NULL,
    stored_url TEXT,
    bytes      BIGINT,
    sha256     TEXT,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL
, error TEXT, content_type TEXT);
INSERT INTO "recordings" VALUES(1,2,'own:00000000000018eb7349769cc24218bl','stored','file:///var/lib/callgate/recordings/2026/11/26/00000000000018eb7349769cc24218bl.opus',141713,'a25d46be32a7c441ce7a934fff611293a3b1e39a872ec550531d894acdd70ae4','2026-11-26 01:14:40.111949455','2026-11-26 01:14:40.775551056',NULL,'audio/ogg');
CREATE TABLE turns (
    id           INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
    call_id      BIGINT NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
    "index"      INTEGER NOT NULL,
    who          TEXT NOT NULL,
    text         TEXT NOT NULL,
    at_ms        BIGINT NOT NULL,
    heard_ms     BIGINT NOT NULL,
    generated_ms BIGINT NOT NULL,
    interrupted  BOOLEAN NOT NULL
);
INSERT INTO "turns" VALUES(1,1,0,'agent','Hello, and thank you for calling Lotus Clinic. How can I help you today?',90,4501,4501,0);
INSERT INTO "turns" VALUES(2,2,0,'agent','Hello, and thank you for calling Lotus Clinic. How can I help you today?',96,4501,4501,0);
INSERT INTO "turns" VALUES(3,2,1,'caller','What are your opening hours?',5401,1220,0,0);
INSERT INTO "turns" VALUES(4,1,1,'caller','What are your opening hours?',5401,1220,0,0);
INSERT INTO "turns" VALUES(5,1,2,'agent','We are open from nine in the morning until six in the evening, Monday to Friday. On Saturday we open at ten and close at two in the afternoon, and on Sunday we are closed all day.',7211,10606,10606,0);
INSERT INTO "turns" VALUES(6,2,2,'agent','We are open from nine in the morning until six in the evening, Monday to Friday. On Saturday we open at ten and close at two in the afternoon, and on Sunday we are closed all day.',7296,10606,10606,0);
INSERT INTO "turns" VALUES(7,3,0,'agent','',0,0,4501,1);
INSERT INTO "turns" VALUES(8,2,3,'caller','Sorry, just tell me about Saturday.',18761,1880,0,0);
INSERT INTO "turns" VALUES(9,1,4,'agent','Let me look that up for you.',21133,1428,1428,0);
INSERT INTO "turns" VALUES(10,1,3,'caller','Sorry, just tell me about Saturday.',18680,1881,0,0);
INSERT INTO "turns" VALUES(11,2,4,'agent','Let me look that up for you.',21290,1428,1428,0);
INSERT INTO "turns" VALUES(12,1,5,'agent','On Saturday we are open from ten until two. Shall I book an appointment for you?',22573,4594,4594,0);
INSERT INTO "turns" VALUES(13,2,5,'agent','On Saturday we are open from ten until two. Shall I book an appointment for you?',22730,4594,4594,0);
INSERT INTO "turns" VALUES(14,1,6,'caller','क्या मैं शनिवार सुबह का अपॉइंटमेंट बुक कर सकता हूँ?',28001,3080,0,0);
INSERT INTO "turns" VALUES(15,2,6,'caller','क्या मैं शनिवार सुबह का अपॉइंटमेंट बुक कर सकता हूँ?',28162,3080,0,0);
INSERT INTO "turns" VALUES(16,1,7,'agent','जी हाँ, शनिवार को सुबह दस बजे का समय खाली है। मैं आपका अपॉइंटमेंट बुक कर देती हूँ।',31692,6236,6236,0);
INSERT INTO "turns" VALUES(17,2,7,'agent','जी हाँ, शनिवार को सुबह दस बजे का समय खाली है। मैं आपका अपॉइंटमेंट बुक कर देती हूँ।',31870,6236,6236,0);
INSERT INTO "turns" VALUES(18,1,8,'caller','That is all, thank you, goodbye.',38721,2060,0,0);
INSERT INTO "turns" VALUES(19,2,8,'caller','That is all, thank you, goodbye.',38901,2060,0,0);
INSERT INTO "turns" VALUES(20,1,9,'agent','Thank you for calling Lotus Clinic. Goodbye.',41420,2697,2697,0);
INSERT INTO "turns" VALUES(21,2,9,'agent','Thank you for calling Lotus Clinic. Goodbye.',41522,2697,2697,0);
INSERT INTO "turns" VALUES(22,40,0,'agent','Hello, and thank you for calling Lotus Clinic. How can I help you today?',140,4501,4501,0);
CREATE UNIQUE INDEX clients_exotel_number ON clients (exotel_number);
CREATE UNIQUE INDEX calls_call_sid ON calls (call_sid);
CREATE INDEX calls_started_at ON calls (started_at);
CREATE INDEX calls_client_id ON calls (client_id, started_at);
CREATE UNIQUE INDEX turns_call_id_index ON turns (call_id, "index");
CREATE UNIQUE INDEX recordings_call_id_source_url ON recordings (call_id, source_url);
CREATE INDEX audit_log_call_sid ON audit_log (call_sid, at);
CREATE INDEX audit_log_at ON audit_log (at);
CREATE TRIGGER audit_log_no_update BEFORE UPDATE ON audit_log
BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END;
CREATE TRIGGER audit_log_no_delete BEFORE DELETE ON audit_log
BEGIN SELECT RAISE(ABORT, 'audit_log is append-only'); END;
CREATE UNIQUE INDEX jobs_kind_key ON jobs (kind, key);
CREATE INDEX jobs_kind_status_run_at ON jobs (kind, status, run_at);
CREATE INDEX jobs_ordering_status ON jobs (ordering, status, id);
CREATE INDEX calls_open ON calls (started_at) WHERE ended_by IS NULL AND entry IS NOT NULL;
CREATE INDEX recordings_status ON recordings (status, call_id);
CREATE VIEW call_ends AS
SELECT
    id,
    CASE
        WHEN ended_by IS NULL THEN NULL
        WHEN ended_by = 'upkeep' THEN 'reaped'
        WHEN ended_by = 'carrier' AND carrier_status IN ('canceled', 'no-answer', 'busy', 'failed', 'completed')
            THEN 'carrier_reported'
        WHEN ended_by = 'carrier' THEN 'stream_reported'
        WHEN LOWER(REPLACE(REPLACE(REPLACE(ended_why, '_', ''), '-', ''), ' ', ''))
            = 'thecaller''ssideendedthestream(callended)' THEN 'caller_hung_up'
        WHEN ended_why LIKE 'the caller''s side ended the stream (%' THEN 'stream_stopped'
        WHEN ended_why = 'the carrier''s socket closed' THEN 'stream_lost'
        WHEN ended_why = 'the agent ended the call' THEN 'agent_hung_up'
        WHEN ended_why LIKE 'the agent handed the call on: %' THEN 'transferred'
        WHEN ended_why = 'an operator ended the call' THEN 'operator'
        WHEN ended_why = 'the longest call allowed was reached' THEN 'too_long'
        WHEN ended_why = 'the media stream never started' THEN 'no_media'
        WHEN ended_why = 'the carrier sent no more audio' THEN 'media_silent'
        WHEN ended_why LIKE 'the model failed: %' THEN 'model_failed'
        WHEN ended_why LIKE 'the gateway gave up after repeated faults: %' THEN 'gave_up'
        WHEN ended_why = 'the gateway stopped' THEN 'shutdown'
        ELSE 'unknown'
    END AS code,
    CASE
        WHEN ended_by IS NULL THEN NULL
        WHEN ended_by = 'upkeep' THEN 0
        WHEN ended_by = 'carrier' THEN
            CASE WHEN carrier_status IN ('canceled', 'no-answer', 'busy', 'failed', 'completed') THEN 30 ELSE 20 END
            + CASE status WHEN 'no-answer' THEN 1 WHEN 'busy' THEN 2 WHEN 'failed' THEN 3 WHEN 'completed' THEN 4 ELSE 0 END
        WHEN ended_why = 'the media stream never started' THEN 10
        ELSE 40
    END AS rank,
    CASE
        WHEN ended_at IS NULL THEN NULL
        WHEN ended_by = 'carrier' AND (INSTR(ended_at, '.') = 0 OR RTRIM(ended_at, '0') LIKE '%.' OR (entry IS NOT NULL AND ended_at = started_at)) THEN 'carrier'
        ELSE 'gateway'
    END AS at_source
FROM calls;
CREATE TRIGGER calls_ended_without_code AFTER UPDATE OF status, carrier_status, ended_by, ended_why, ended_at ON calls
WHEN NEW.ended_rev = OLD.ended_rev AND (
    NEW.ended_by IS NOT OLD.ended_by
    OR NEW.ended_why IS NOT OLD.ended_why
    OR NEW.ended_at IS NOT OLD.ended_at
    OR (NEW.ended_by = 'carrier' AND (NEW.status <> OLD.status OR NEW.carrier_status IS NOT OLD.carrier_status))
)
BEGIN
    UPDATE calls
    SET (ended_code, ended_rank, ended_at_source) = (SELECT code, rank, at_source FROM call_ends WHERE call_ends.id = NEW.id)
    WHERE id = NEW.id;
END;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('clients',2);
INSERT INTO "sqlite_sequence" VALUES('calls',43);
INSERT INTO "sqlite_sequence" VALUES('audit_log',66);
INSERT INTO "sqlite_sequence" VALUES('jobs',16);
INSERT INTO "sqlite_sequence" VALUES('turns',22);
INSERT INTO "sqlite_sequence" VALUES('recordings',1);
COMMIT;