-- The tables of 0.2.0 (ee98c00), with what it has stored. Made by make_witness.py.

CREATE TABLE session (
	id BINARY(16) NOT NULL,
	created BIGINT NOT NULL,
	version INTEGER NOT NULL,
	epoch INTEGER NOT NULL,
	rotated_at BIGINT,
	userid INTEGER,
	csrf_token VARCHAR(64),
	authenticated_at BIGINT,
	idle_timeout INTEGER,
	extension_delay INTEGER,
	absolute_timeout INTEGER,
	renewal_timeout INTEGER,
	cookie_max_age INTEGER,
	user_agent VARCHAR(255),
	client_address VARCHAR(45),
	session_slot INTEGER,
	data JSON NOT NULL,
	flash JSON NOT NULL,
	PRIMARY KEY (id)
);

CREATE INDEX ix_session_userid ON session (userid);

CREATE UNIQUE INDEX uq_session_session_slot ON session (userid, session_slot);

CREATE TABLE session_activity (
	id BINARY(16) NOT NULL,
	active_at BIGINT,
	expires_at BIGINT,
	generation BIGINT,
	attempt BIGINT,
	previous_attempt BIGINT,
	renewed_at BIGINT,
	tries INTEGER,
	tried_at BIGINT,
	PRIMARY KEY (id)
);

CREATE INDEX ix_session_activity_expires_at ON session_activity (expires_at);

CREATE TABLE visit (
	id BINARY(16) NOT NULL,
	created BIGINT NOT NULL,
	version INTEGER NOT NULL,
	epoch INTEGER NOT NULL,
	rotated_at BIGINT,
	data JSON NOT NULL,
	flash JSON NOT NULL,
	PRIMARY KEY (id)
);

CREATE TABLE staff_session (
	id BINARY(16) NOT NULL,
	created BIGINT NOT NULL,
	version INTEGER NOT NULL,
	epoch INTEGER NOT NULL,
	rotated_at BIGINT,
	userid VARCHAR(50),
	data JSON NOT NULL,
	flash JSON NOT NULL,
	PRIMARY KEY (id)
);

CREATE INDEX ix_staff_session_userid ON staff_session (userid);

-- remembered
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES (X'a756d519618af1e424389172fac23846', 1799481600, 2, 1, 1799481600, 4, NULL, 1799481600, 1209600, 3600, 2592000, 21600, 2592000, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', 1, '"ARsnKjQXa9SvSwwoUIxLftszfsr9F2KZqZ17kUT2v7CUIEMlRJmPmhlp48LCZjGGEQJ_L2aqy7U"', '"AfyzVm82ePiGpskcSmzLJ4wTaPar2ltOe5ArpyNh_jPGjxx9Fy8Xh_-HWQ"');

-- expired, old
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES (X'2cfdb043cc4c438ecba2ddc7b3fb176c', 1799956680, 2, 1, 1799956680, 9, NULL, 1799956680, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', 1, '"AUnOhYo-FVs7s8dFLsgNLS59awGQ8voCZpNEQJ7I-2hJnNiXWZmU1jYcVLgETe3fcxFPb7mtTv8"', '"AXJJ877rFDyHrBIPUC9noH4J6tGHO44yLbjpCevAOWHDMkB9Sg8LMYJcng"');

-- expired, unused
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES (X'7d4aedd806c1c26bbdc7e25af8439bfa', 1799997600, 2, 1, 1799997600, 8, NULL, 1799997600, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', 1, '"Ac8-R_8pTlyXFm4t9yGlV6jThatf0R8MpxzDEXv_7sDaGdNXB_ZfmFXlCnfiEvKEsdGH0GDK-2M"', '"AdYYIVffvR-vbcperoXQRXoiC4E_G9yGKsXQf9KWU955M23Sb2jZDnY_Gw"');

-- logged in again
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES (X'b6d67cc34b23e5485190ea395eea6e68', 1799997600, 4, 2, 1799999700, 3, NULL, 1799999700, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', 1, '"Ad8m-6H4ZB8F8lYn303xaie9JTMgvC1mRxmWH4j4-ALkexlkD34a7_7oIRn1GW71wo5aXITFRgUyHdBLj-LJvgJQYOrwdeSB406pjgRisV7FwCi-P1B5EdLigus"', '"AWemAVclL3Uia_G5BLcAFKG614ClL2XmXlnzy5gxvXezHNbpSuCar8BUGw"');

-- anonymous, under the older keys
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES (X'1cefcab35fbb6410669fc94f1dd9a086', 1799998500, 1, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', NULL, '"Af6UECyg6qy7vdlqpZZ211q0x5xPUS-luYmeFbNqVD5vw8oUDwDZaCBa5QTUE4XJ0s4leAelgfNHAj8zLfALHt9eUBm3pet57gEsVFjk"', '"AcKWuiYuuUClrd3_EZs-86KNf9prghJF2ebD8-x3q2g_b9ElDxLSRQvnmQ"');

-- logged in, under the older keys
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES (X'6344656556444b35266cbc0b45557b0d', 1799998500, 2, 1, 1799998500, 11, NULL, 1799998500, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', 1, '"ActKnGsBXg9_rwLHyW4gRH3Iq46df_CbULntbcqlLtiPdqiayulJky_eqWOoin-gtAa049_3FQb2"', '"ATxzGQhMEZgIs6QifO59DG8k3ynRYkbh8mft8H3_GrFYT4zttSee5Fl5DA"');

-- logged in, under older settings
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES (X'3427ba4befc6055c9797fd57d0e8593e', 1799998560, 2, 1, 1799998560, 12, NULL, 1799998560, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', NULL, '"AekI8Qi9Qc19OTh274cSO6y-APjQjLGs-hewQ-WzlFNkWEabWdWACYR65sgGdB7cMDiALU-QVubv"', '"AQ7X4qta0rtqOsAPbgwSsBjE2VUMqacLHTi1qu4wYbFgqArsoZOwf2QkMw"');

-- anonymous, under older settings
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES (X'e216c71acdf82c154ac3d135c54fa7aa', 1799998560, 1, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', NULL, '"AelaBUQwA0fgd1Kj8YrUMzOkLp2uVbTQoxQwtlJTkoSb3XOoalfCd_JTD9wSiRuG5I0zu0zMKKCUFHHfnwMf0bw5WDp4IqzMCF0EnNrS"', '"ATrq0NR9ZWlP6TFpoXRkOg-NxzYUW5Fy9DSyFoLGW9WnYikCTsWh9VYImA"');

-- the cookie from before a login
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES (X'4ac74e2b28a5d9589838fdd56619c5a3', 1799998800, 2, 1, 1799998860, 13, NULL, 1799998860, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', 1, '"ATCOZRhQPlg3t4aUtrejkwYF72zQQ55OmnjwBKVFsryq4574Z28kImIRSZqN0HPYGXBrWrzgvCHWpc3cXQP-ewrWeh5JXle1XsySZR9z"', '"AdiCc33fpzEMuLA3_1YrvtNOv45SVLOLUH7o8zPgULW33MOf9iWm7yR51g"');

-- anonymous, with every kind of data
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES (X'345e77bc6955997979cdf467e3986cbe', 1799999100, 1, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', NULL, '"AXDQJASVannKo7CxP7UutOzW6L1t3zOwwP9cFiYqv0OmcY09Csz4YUYCbtmmaETIsStLwHWWZJZV0LrqKPes-NF_oblbMB1fRc0Ve2TaEp917tcEKZUA0XId4m5Ag5XnOfS9aqsFfOHtvMqacldYi9wC8tXX1eG_kPrR6QOv0yDkkjtm0o8qeMX-YFLfNaR7HzE8_Bp1-vo-s5r0i6dKyfA3QA3-OP8Va6BvB1iH5883LD8qE3jWOAAyyJInXxFywbByq8PUlmyfb3jIYTZkDnFqtHwv3mBUw_5To-ZAsoJfyrZu-1Ia4XfLkEZvyn308uhIfk-vNF3ys5mA_9POWfTf823kbpFsWk3fJ0q4XCbWp6qY43hVtvBSg5M_gY_3dHd-F5VxquBmz_pEZHTrGIMftiOb3SXo8TOvf0pQUQSo3SqP2FbmGLaz33MfUX_yki2TODXEoZAg4xB1HwsLGzE_zTI4tYaK80d1g6b-OsuV2WX_4V0LN3QyO84UD5fjHKC0LsXGTB_shkYgp8xwBNpbIUBIw4QHOU7Wc1hPTI9d2cBtb3URKuSZZO7sbxLZxp9FSoQAPlToiNHDaig33rCB95MA5lHAlK4p9Jg1Wn22EtdWpS_2oVgSydfe5aiSmxA9VowKH_HyRV2cD5nk8SN2qj2yrbVDlzBACAtkgEI3KXqEZxJOQMrEvecvLV-Z1pZAenbZUIyG5ePZzKmo3eHT3BhmRENJqgQSAdu6jKBNbFiWXQeYfp8Fa5fV-hAGT1NAKODR7KZxe04kzytBekcVoXkiBiBfTg2-SunbK7x2wmlQxyx-t6e259oxRrtTkvDlyzegkElwu6dS1cx4oDnryRBiN55nQZOWWH14bsR2VN6kek0JEpbHNpV2ABDRWZendEPoGT4RI8x9FNYoSmbmZP6GPTaz1R07M26DJ3ZKBDLb_SPl097YXf1UG3IvfkbGYgjk1IwAAGHoQ4qp5HXFkN1aHPPoaipd0XrBfDjG4idSJkKyWbbVNjC75xYVVaUGOFmtkyJq0TYuXFGPU6TdcdOS8Oms9Kv9NJlgaMcWfcFF4t3RsnOGEra-28k6PJxJgoLg87KItihkm5OP3YtB72aSp7wTsOjPSgERQxoHJaO1Kv_y66NHmaP1iXrxDDCHFyNfOKjSuY7oxbBZ-En8zUJIJBNZ4Mo9-FcnoTtnofB10tmzCnYfFRl5LAwJlFbhdRug2TUMf6oXJ180FGTvBZTIyd-R3VclLEcVQHyNGCaevhVjpEUJeGmaUzexHYKhpqLHPu0c9la0gAq12fT51F1cmD1CeSXbdVFngYBsb4PHkzMuQb_Qz71EpnboD-4cWlMoWM4Wak6iKm2TGwxMVBjrznfGWYqSvAx0aVV8tzY17JXv1M1qWTeLlXYdDmMVJHnCeUeu5HL4iCchln34tOsvkGy2VgCx28TLTIJYBZJ8Qwz4N3I2ihUC3q-_7GPckHat8cJi4JDSgcu-q4Y7gK2eSpEIoM5g6I5VkwR3jtzbMmwo0nAtrxiKprje2hq1cK2F"', '"AS2h__ot_q-2hkOmwV-2XOtWfS-G8S_Dnywz3DgU9fSCBAB00vF7iX0reg"');

-- logged in, before an open form
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES (X'3b1fc8f4a6eb6c9c7aa12a13b95870ab', 1799999100, 4, 1, 1799999100, 1, 'qdY7qmcOMurNlmvM3zzxmcU-88lgOy1_sYM58h4D4KI', 1799999100, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', 1, '"AXdqMCxZWBeW0avcxJeYdftsWYYyPbqkxKRQ65urgnY-mHpwEQU_V-P7aTINpiIYj_FLeSCT9QZ3eXYQAgPmoehv8UCUVL082VpG_YFxsjw29UTA-rQQU_0cyO6pN-v4JwbF83qFz77xsZDxxDi6HGZP6C4n5lNkYLhrXQLdBqZjOyF5veMM3fVRUI4o3_3ESRz2y__S82YBiIp8tn1fmq6PST0U-K-K0uhwMGEEnYTuXxC42E_zPmxflJzKj4ZjVIToU7mKpC1QTDuep0VaBP2yopdTwfCSPani265P2C0i8OpPj0r9jFNp0sd5skd3PkhZUPYfCG6vruducRf8sqxNaQe0F5DuH8-SAV3POQrDI6XGTnw6z60W1pQjWai3M2xOokCWQzqu9rzeYmrIWbIde9dm9uG4kH1Ik00URe4do_klNo-JAkyYy5R4D2KkAUfSZBr9nmm9i1WX6jlsQvAtHVOuaXm2zdl__lnrXvL24qX4nFOfI0wJl6PFJWNHlkQqGrNj1ICIAFWBI85NiV3V0eU2plfu8gAbd8HdoVS-U2qe-baq1670TeOe1W9wmGOSELfjDW0EvEsQwBQli9j0XKElaYJ8_wgNqP7-8yJCgUoTkhTh0alugj6-2OAe9cj-eZM2OrZLJvypM-mpdqT4VvLvvSd7c2tlnArGFSIUKeTPkO_gXeJMZK1UDG-dMLNFDWwpHp3Ej1NtZ47Ok8MbY09oERac5NFmXjRzv3iFy9bYuFPgIuTytn0VKNiwoBlyO8o4lWbfcOT4qY4KVRzT2ssquU6VdnSpkfiodrSUsQu_fqQdidieCVnBJGOsJ8pmoyf8dqe2G-LY0k67c_ECbIC3UN_g9GuB5KPlR0toMfRGb8ZydojRK_S38LI_uA7bM60mVV4eiRBkX3WkxPIVP20ltuBGi3lBEYIc8Q1PrDp5qYC67BZz38FO0FaQHnwMVum58UDxoiTceYR9pcNR5F-H3FBpf8VBeMaPg8tVqOzNjlNLALs6a_Mc0FgS83CaxE5x6lSDCuiR_PB0FU5nRkufL6_ZqPCug-hcYK1uB5ZE8uyBLQgcnCpIQ964JRvTy6YDMOggA1PAoYYTiwa_NGaHh_J3bA0MYVXRw8pV1IF4h9mN7HKR2TYESp0c_i0eQ7a0o5pDHgUBXn-6rEabk-CacnC8lVRwZIpTexUXIEGIuGas4cEpJYBjiGqy81BKfEv_uHJXnsqt4-2bdUAdk0iP0955VEWhMKk9Xs33uN9ZfCiU5JBhvamqVkXDX3ndsf4xYR7N2-haWncWBGpXkBPQQSkMuiT2jCqO0kgZ2G_gt9y4M__3VVV07Vx_6JhIzIK5KGq0O5Qod340eNfrbg6FpqNOEP_bKHeidKe_hUCS0Fox8b-Q9_CWL69CdjkEnQYfYrEeYfmxkTHn6GmLFw5v9o8Wbt_aAj5XiQXLTSc95xHjhi1Suo3FG0YR4O0NfbLObOtnS_Qeg7acn9zKstQyY6_7vEoH-tHBvCSQW4KY5wQ0U_ahZTGFejrdyzmjOS_PuO59vwTnUis1TuidGOM"', '"AUPaf7b0GUmbDNjdwF_WoHmefYwAbZQoDKH-etuzS-texMzDvlOf8HO5kQ"');

-- anonymous, with a cart and messages
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES (X'5956ac87ceaa3cf0926d165078f8529c', 1799999100, 5, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', NULL, '"AXGnvHksjqw4cXZ3iAoUcPIrvX1zpzy_krChB9-4FLEAOBZv4tFlBrQI07WmcKK4YAS5eDReC_rZGq6uB1r1827_4Rx0VkCTdVt11dT8"', '"ASbEEE0SHmptUNavKQg8L1scQ4ILveGKh1NG1MTmFBY6c32qa8SfpfLk8Wd0V3ZA1hPb9H6UNXY0UiQPbZobCt4UL9htLw3rgXBa4e3PZSQHl03oHBXcWC8WNXEAlIcOko2SZGUYwJsyrvTLXZ_TPnJzijTvVhg"');

-- anonymous, before an open form
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES (X'793879bba2c39848c1c47a56cb2f3c86', 1799999100, 1, 0, NULL, NULL, 'x9xoE6CnVgegtPKeNmfsJgRIrtkk5kkeERq9xOqYh-w', NULL, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', NULL, '"Aba7EUnFqf1N18FA_0Eq0ZIYh3hz9OpE-3JUb7yhN2mkTLS6-q1X_FZsHA"', '"AVJz7CZicnzqjJqQLqjchHTnfp-K7DCWxprJDL7IgRh0kWoN9rGQkSuPgA"');

-- renewed, the cookie before; renewed, the cookie since
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES (X'8884f0c1a0cdcd6aba3423c0e5ec2b59', 1799999100, 2, 1, 1799999100, 6, NULL, 1799999100, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', 1, '"ASWxViFzY4ns_v1CPHzc2cTGb92gGIdB6vzuMUkQfYXo6PXeE8DvdHC1kD1MUKMAi5K-eQCL-vI"', '"AQl8xpnvrtHJ4XrhW9d-fHXaGtKDiq2pQCMRNDUvuBAznyvY8OSW1CeKHw"');

-- in renewal, the cookie before; in renewal, the candidate
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES (X'fe4ba6aaef35f4178663e646163d5718', 1799999100, 2, 1, 1799999100, 5, NULL, 1799999100, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', 1, '"AX72ayg-FmUKDle7z-XM8WNg4XMwZ9lGbYJdSslORD0oFPQ8BvjrnDEH1JtJguy6YphkOydQ_Ys"', '"AVkMeGTPS8lt75Oc7CiyB51Lr8jNYHGSH4pbNQXPU7COUinRXjmc8dG4bQ"');

-- logged in, before there were timeouts
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES (X'd1500430deb5c7c73ea68216ec4d1eb2', 1799999160, 2, 1, 1799999160, 14, NULL, 1799999160, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', 1, '"AZbkeso-MEgkgj3u0ubPgbyslM61RDnsG60AZ69ezYj5dY6A93UbU6cRLCjCzslE-MMS1KA5iBsT"', '"AdKIKa1eS3V4xttM2aN52ic5Ghmu7OH0SNIEffeAzmge_s8JU7dKD_YsXg"');

-- limited, one of two
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES (X'd67259c055374d19bfff56e3276c3a58', 1799999460, 2, 1, 1799999460, 7, NULL, 1799999460, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', 1, '"AVJjxyOuX3NoBgcH-aztPgR6DNrHNBLs5xUEALgR2jrl5m0qUMHaWdaGBT0JVRoDOGqBpA9oguI"', '"AaJo1oC5MR5FNdbFV9NsjFfVnRgy6Re6g7f4KC71hlvYwU-ZJBNHTqBJUg"');

-- limited, the other
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES (X'b699f20c915ba7415827590b1bd4c525', 1799999520, 2, 1, 1799999520, 7, NULL, 1799999520, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', 2, '"AcdUwujByL9xAsKCKL8gPwylp0RJx1WOj1w3_ozlDty2qeRGyNhpg1uHVsEveY6iDLKxDC9BmjA"', '"ATekVqawRUBf8rmzqDFQ3M0SqAbzEynHSehSE_h1uj6rD2yb795AjYTUQA"');

-- logged in a moment ago
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES (X'6d807525749d6ad6c6b93ab0c2c478c5', 1799999990, 2, 1, 1799999990, 2, NULL, 1799999990, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', 1, '"AZp3WHEIqnJZrUSkvbsTOw4TqU32KYmItfrksfIcI-GvvZ2EtKrLZU5J6dIJLCb_p_HvTnVIshQCuslfvzRjfdfh-T-b1O79eEAai5cP"', '"AVVWsez_ygg0gdR3Fs4QUBVFDh80nntEE9hcz1qBEt7WvPD45ba3KUi-Kg"');

-- remembered
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES (X'a756d519618af1e424389172fac23846', 1799568000, 1800777600, 65537, 1, 8722076674090358616, 1799568000, 0, NULL);

-- expired, unused
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES (X'7d4aedd806c1c26bbdc7e25af8439bfa', 1799997600, 1799999400, 65536, 2624273389068809802, NULL, 1799997610, 0, NULL);

-- anonymous, under the older keys
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES (X'1cefcab35fbb6410669fc94f1dd9a086', 1799998500, 1800000300, 0, 0, NULL, 1799998500, 0, NULL);

-- logged in, under the older keys
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES (X'6344656556444b35266cbc0b45557b0d', 1799998500, 1800000300, 65536, 3078489269914582786, NULL, 1799998510, 0, NULL);

-- logged in, under older settings
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES (X'3427ba4befc6055c9797fd57d0e8593e', 1799998560, 1800000360, 65536, 7496299358832953530, NULL, 1799998570, 0, NULL);

-- anonymous, under older settings
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES (X'e216c71acdf82c154ac3d135c54fa7aa', 1799998560, 1800000360, 0, 0, NULL, 1799998560, 0, NULL);

-- expired, old
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES (X'2cfdb043cc4c438ecba2ddc7b3fb176c', 1799998710, 1799999880, 65553, 1, 1, 1799997510, 1, 1799998710);

-- the cookie from before a login
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES (X'4ac74e2b28a5d9589838fdd56619c5a3', 1799998860, 1800000660, 0, 0, NULL, 1799998800, 0, NULL);

-- anonymous, with every kind of data
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES (X'345e77bc6955997979cdf467e3986cbe', 1799999100, 1800000900, 0, 0, NULL, 1799999100, 0, NULL);

-- logged in, before an open form
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES (X'3b1fc8f4a6eb6c9c7aa12a13b95870ab', 1799999100, 1800000900, 65536, 5023023035064110874, NULL, 1799999110, 0, NULL);

-- anonymous, with a cart and messages
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES (X'5956ac87ceaa3cf0926d165078f8529c', 1799999100, 1800000900, 0, 0, NULL, 1799999100, 0, NULL);

-- anonymous, before an open form
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES (X'793879bba2c39848c1c47a56cb2f3c86', 1799999100, 1800000900, 0, 0, NULL, 1799999100, 0, NULL);

-- limited, one of two
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES (X'd67259c055374d19bfff56e3276c3a58', 1799999460, 1800001260, 65536, 5282754738286474171, NULL, 1799999470, 0, NULL);

-- limited, the other
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES (X'b699f20c915ba7415827590b1bd4c525', 1799999520, 1800001320, 65536, 3738064966789237609, NULL, 1799999530, 0, NULL);

-- logged in again
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES (X'b6d67cc34b23e5485190ea395eea6e68', 1799999700, 1800001500, 131073, 8789370750285189238, NULL, 1799999705, 0, NULL);

-- in renewal, the cookie before; in renewal, the candidate
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES (X'fe4ba6aaef35f4178663e646163d5718', 1799999970, 1800001770, 65536, 1759301976285987785, NULL, 1799999110, 1, 1799999970);

-- renewed, the cookie before; renewed, the cookie since
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES (X'8884f0c1a0cdcd6aba3423c0e5ec2b59', 1799999980, 1800001780, 65537, 1, 6708019832412759710, 1799999980, 0, NULL);

-- logged in a moment ago
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES (X'6d807525749d6ad6c6b93ab0c2c478c5', 1799999990, 1800001790, 0, 0, NULL, 1799999990, 0, NULL);

-- staff, anonymous
INSERT INTO staff_session (id, created, version, epoch, rotated_at, userid, data, flash)
    VALUES (X'1c2856ad3b53d70d00ef35a61b3b7aed', 1799827200, 1, 0, NULL, NULL, '{"cart":["apples","pears"],"since":1}', '{}');

-- staff, logged in
INSERT INTO staff_session (id, created, version, epoch, rotated_at, userid, data, flash)
    VALUES (X'3b0a28e433f49de93fa7b25d4a0ff8ea', 1799827200, 2, 1, 1799827200, 'anna', '{"of":"anna"}', '{}');

-- staff, logged in again, before an open form
INSERT INTO staff_session (id, created, version, epoch, rotated_at, userid, data, flash)
    VALUES (X'8b78b92817bc973e0d2173feeb7d0b58', 1799827200, 4, 1, 1799913600, 'jürgen', '{"":{"":[[],{},""]}," t":[1],"$bytes":"AAEC","__type__":"x","_csrft_":"WhNnRX9rwnEq-eCZy-ZwQ0BXJgI-4n_2_bN5GUcsJk0","booleans":[true,false],"deep":{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":"the bottom"}]}]}]}]}]}]}]}]}]}]}]}]}]}]},"floats":[0.1,-2.5,1e-07,123456789.125,9000000000000000.0],"integers":[0,-1,9007199254740993,-9223372036854775808,18446744073709551615],"null":null,"schlüssel ''mit\\" allem\\\\":{"A":5,"B":2,"a":3,"aa":4,"日本":1},"tagged":[{"__type__":"datetime","value":"2027-01-15"},{"$type":"date","$value":"2027-01-15"},{"$bytes":"AAEC"},{"$date":1800000000},{"__class__":"Decimal","__value__":"1.0"},{"py/object":"datetime.datetime"},{"@":"x"},{" t":[1,2]},{" d":"2027-01-15"},{"":"x"},{"t":"uuid","v":"x"},[" t",[1,2]],["__type__","tuple",[1,2]],["$bytes","AAEC"],["!!python/tuple",1],["~",1],"datetime:2027-01-15T00:00:00","$bytes:AAEC","__type__"],"text":["","it''s \\"quoted\\" \\\\ back\\\\nslash","line\\nbreak\\ttab\\r\\u0001","%s %(name)s :name {0}; --"],"unicode":["Grüße","日本語","🜁👩‍👩‍👧","é é","￿ 􏿿"]}', '{}');

-- visit, with every kind of data
INSERT INTO visit (id, created, version, epoch, rotated_at, data, flash)
    VALUES (X'2ba1eb04a62d7346939c3ddb448fca21', 1799740800, 1, 0, NULL, '{"":{"":[[],{},""]}," t":[1],"$bytes":"AAEC","__type__":"x","booleans":[true,false],"deep":{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":"the bottom"}]}]}]}]}]}]}]}]}]}]}]}]}]}]},"floats":[0.1,-2.5,1e-07,123456789.125,9000000000000000.0],"integers":[0,-1,9007199254740993,-9223372036854775808,18446744073709551615],"null":null,"schlüssel ''mit\\" allem\\\\":{"A":5,"B":2,"a":3,"aa":4,"日本":1},"tagged":[{"__type__":"datetime","value":"2027-01-15"},{"$type":"date","$value":"2027-01-15"},{"$bytes":"AAEC"},{"$date":1800000000},{"__class__":"Decimal","__value__":"1.0"},{"py/object":"datetime.datetime"},{"@":"x"},{" t":[1,2]},{" d":"2027-01-15"},{"":"x"},{"t":"uuid","v":"x"},[" t",[1,2]],["__type__","tuple",[1,2]],["$bytes","AAEC"],["!!python/tuple",1],["~",1],"datetime:2027-01-15T00:00:00","$bytes:AAEC","__type__"],"text":["","it''s \\"quoted\\" \\\\ back\\\\nslash","line\\nbreak\\ttab\\r\\u0001","%s %(name)s :name {0}; --"],"unicode":["Grüße","日本語","🜁👩‍👩‍👧","é é","￿ 􏿿"]}', '{}');

-- visit, before an open form
INSERT INTO visit (id, created, version, epoch, rotated_at, data, flash)
    VALUES (X'b063103be5753a046219c0acee9e59e6', 1799740800, 3, 0, NULL, '{"_csrft_":"EuZstWeV4KK9S_u5stxPspIJbuFTd56XrHZiL1-WgpQ","cart":["apples","pears"],"since":1}', '{"errors":["No pears"]}');

