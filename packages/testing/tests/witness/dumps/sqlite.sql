-- The tables of 0.2.0 (ee98c00), with what it has stored. Made by make_witness.py.

CREATE TABLE session (
	id BLOB NOT NULL,
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
	id BLOB NOT NULL,
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
	id BLOB NOT NULL,
	created BIGINT NOT NULL,
	version INTEGER NOT NULL,
	epoch INTEGER NOT NULL,
	rotated_at BIGINT,
	data JSON NOT NULL,
	flash JSON NOT NULL,
	PRIMARY KEY (id)
);

CREATE TABLE staff_session (
	id BLOB NOT NULL,
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
    VALUES (X'dad74fded4554907d178b711c2be7790', 1799481600, 2, 1, 1799481600, 4, NULL, 1799481600, 1209600, 3600, 2592000, 21600, 2592000, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', 1, '"AUme6o2klb8KIvz0LQrF-7h9OBlONR145AzGs7KWFbhUhVC_rj2jHi1fuxKuFFpINo8SA41wRzA"', '"AeOCjpmPKkCUBCEWWAnlt1zUmchHzZxk65l4Cu4z4STGcb0xejKGo9cU_g"');

-- expired, old
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES (X'805a767e313fe10ec7621fa9d4b9cb47', 1799956680, 2, 1, 1799956680, 9, NULL, 1799956680, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', 1, '"AST0oYJbilIBtzzjht0TZ7o1GEhYWe49QVw_IIkKFFK0LFNS88Pl9OzFVdA_n4qd9ACL4iQ36Bs"', '"AT92c1bXXBlBDRnL1UHmE_7CcCjY6Q5qiAYdTO7exOvuwwyQyvsFQmm_vg"');

-- logged in again
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES (X'2fa67e9e4bfbeab079d4356e3b503068', 1799997600, 4, 2, 1799999700, 3, NULL, 1799999700, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', 1, '"AXds9KKYk8xm9onpGL544SG_490EqI8W_rf1aqzB7zBZEfRR-kxRnxF0fLzEdwKbwKeMqDtn795b4m3m2bXnOYiiGf0pZqGRGPdsrtb-OEPqVzcvPVMDHICQj7Y"', '"AeFrRDCDuaH5XWgP8h3SaPCYVcHot1hcLtN1yqW9voFqPFliqIrlUIYQuQ"');

-- expired, unused
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES (X'cac0f61e396b6ece9f8c023c31d3ae6c', 1799997600, 2, 1, 1799997600, 8, NULL, 1799997600, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', 1, '"Aa7yMX2pIDTZp5XscSnPT1KjkGelxsqiY9p972QnaGN6J1uro9if6ur9o-XUCmg-h9YTeALCE58"', '"AQDux0tj8MeBsVbr9-QSlbO3bmK1wnU0NnYHwxOR6S3LNEY-1ztHi87Zbg"');

-- anonymous, under the older keys
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES (X'b2a6064528b30e94c7299bdbf1ed3bc8', 1799998500, 1, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', NULL, '"AbjGrC9UibjX64S2v2Krpnj0_iXgcHc9276BkOlO2mbc0k_h33yhx1m4JSlbKKiYQ7LTRHKAyt-nopeD63-KAo85lRmz7ZzGg5tJZUWK"', '"AUUpHiON5YDVhMQPgvsFrrD8AF_xmE119ApAbvtMOlphB3Y_adUeL079DA"');

-- logged in, under the older keys
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES (X'efa3ecc9e923262db05dd47a0addbb14', 1799998500, 2, 1, 1799998500, 11, NULL, 1799998500, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', 1, '"AS4XpWg2XptzLDp61IsnW1fjt2C-btQca85Wpt9ydt0W8DpFeq5ohyOrp4EX0qRRUoTQ8FHYeRN6"', '"AdKxElGmxsseomOA9dBZY1olf0POxB1w5GNoxJrhQgdieJUn2V9qlTd2JQ"');

-- logged in, under older settings
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES (X'2def6b17521fd66b2fb6577dac5f51f6', 1799998560, 2, 1, 1799998560, 12, NULL, 1799998560, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', NULL, '"AelFliuT018rOZ0GCrX9UrmnUzX-Lk7lURaiyF_cd9_UyZbnWhz7vzNUAffvqc0e3hSV-uMWWK4x"', '"AfAyN-l28VR-W3ENRmJtHrum-1OoltUwhcTGMks1S9TjlmlEbpTqNoXuKw"');

-- anonymous, under older settings
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES (X'd30ac8753336ba09cc4afae7d639bc63', 1799998560, 1, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', NULL, '"ARGgX-nVkyRCTV9s56moU30d_GhRZ_k2vwMF7_mZb9EK0dTCO1dt4Hn7mhFX24xXmGyY9fj2mQ4Wm088hTCC255Sjpux1VyL7rfMMvXT"', '"AaLpQrTV02IS83zU2Kkow2Qzw0A1adPlnNVTpcTzCcJ4TxLWm-2A1X68Cg"');

-- the cookie from before a login
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES (X'9786794c61a347e29aa17b4d64ede915', 1799998800, 2, 1, 1799998860, 13, NULL, 1799998860, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', 1, '"Ad3Yavq9yEL6Fm66_5uDRXpKjMvF1WdXXphg3ORHx7mrVq5syVX-PpZ3kSaGvExBY0JfVi-tqsrfajShxvLNWdlX0jsbnnr2hsLZmbmm"', '"AeuCQ-WgrftuR8hA1f-HPO_oHabjVeel1JKA8LUGVOrYjiy1A3axchG8Sw"');

-- renewed, the cookie before; renewed, the cookie since
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES (X'0301f0f65dc1126ae20973e2fe8cf559', 1799999100, 2, 1, 1799999100, 6, NULL, 1799999100, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', 1, '"AZlCDd2lkkqSezhGEYq1v4cgfMEqy_fiZRbDH0sOJr40_8UEvi_i3mbnShXANvWkpqRJAAZ0mqM"', '"Aclagr96Xbn2BCK6E6tL2z0ZAH8nqEofB8lHlibKu2VVM_uAMPdLWfqhhA"');

-- anonymous, before an open form
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES (X'26e80d4edd1adf69a41e9450aedcf47f', 1799999100, 1, 0, NULL, NULL, 'UEvKUOv0yy1Y8DXwyD4RZudmjhSswEHAi5WLrDW1adA', NULL, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', NULL, '"AZDiKRb9ZPo8nE0jg0OfM9fd0gufiiLh2-kvLZWxKACHprGBU-2ika-r4Q"', '"ARRD2NBvU_OeX6vQZ-GWuejQC8s89prD_X-Ooj1JcIKHYjEXGSw6mHkaXA"');

-- in renewal, the cookie before; in renewal, the candidate
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES (X'3f184760baf10e753655d912f4ba4410', 1799999100, 2, 1, 1799999100, 5, NULL, 1799999100, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', 1, '"AZ7Vy1eBNPuBC3hY82hqiiH3qrgAge5VzfEMWezKEjdK7p6S2NzoYzxXW_ktfLHkWu6HY-fMkfw"', '"AVoTG0mqoiezmltVPHM7Fk6-TynreTKOM8UAPsX-q8nvznWkpyacWMoZXw"');

-- logged in, before an open form
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES (X'524bd0ab7ba6e07f264da81bdf64988b', 1799999100, 4, 1, 1799999100, 1, '8y-sG8byfkT_RFXKTVnlsNLNlS9fnJqNFnZ45kzbRtw', 1799999100, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', 1, '"AfnYDDPg5LR3wI51ozk2tl8NnxT8m6Bat15q-Y1-CBz2ho9bIXiDk3Zp28oBUxNhgKOvVHkpcLDkiwNHyNWJuHIn1gZJuSqw0OKE7gNCddPRzavWyLw5N1UC-AcH6gvbWvaCydP_uJsPkPCxcg79iOHonpdLi0IbyinVilpwSF2aaio9upSDFSSbGXf1VsvxxgZP4G97-RJOeU4G6J1LAfNJBRtTMJzJREnZwXVWSCKja5FV0IoacluMs1wboZP7vwjdO4zSa2mc2jkPHxOdwdcqekvmu19TZNSK9eeVTx--9HOEriHjX74L_-pLP31rW6TA1ibzktAh8JD_y1D7NABqelWz1tIjCbOpO1iy8YxhkLMvnm0Y1vw7A7wAiw3JUgga2obgscWkc32ob94KJf703qr_jm8I9oYIuSFbZkH-Umbh1700fo33EKD26DOlL7gVsoibySsv2qAZLu_rzM2_xI2zVkyZ_fmeM8rPb7A6rYJJoaS-TtVfm-iB6rYXk9CswYQNNgxxUXPWkfzg4OV26FY2LCeYE8ioDkwZ5vHtsilA0Ut1-UVMpAhQJWWMWq0f-07myhJtPzgMRJDYf_ztdm0ZdB7y5bzaRmVLe3wjnqoRDSe1JVS75d-oVVLQuVuyD5H5p1gMUt640x_luKxLgzyGped5j7wI4uXrtobyg9EwsTCl7MxVIRV1z7BrZPzNBMEFPdupgSb9DpUpTASpupcqpimXglJ6wjND6rEAFBqR4DxBRbBWglo0N4XGsJVOUXrMMBHOYQGEnO-aTvk0aU_moogx3j8ZB-b8Eul3rTURn5COGd3a_Fab-EHag0C06h5MVryv1VkLmUIhLgTdeDgMzZdt7MgRxEuXdAojuboPZ7RSiVsIYxN4Q2s5rENIIZrv6EXGFIjiWAfRfsixya8InKVqx0SliL5vKprqujdyrQ84HXxwDO2KYud4H36N5iMMDpVmW-FifQxD9mRNlEZXdEPffY6h4hWL2SWMjS3Q9s008hNeS9FvQPqY1sRW-KTV9DgI9B-vGs6fNG6SsvoUZZLQjxOjHbCqXbcK6Na16mGQAM5C2OqTW5fSdFhOPU1gTdauQCo1E0xQTlqK_b3BpXP1u_7v064wHt02-TBqMoqxc8qXR1mdFOziYmU9nr6Vxv4hjSzIpuJVuo3585tT5rqQTtwd_xFzBpgT_CO2yByEY5fGEUhl39AvTV91NBoHI-Hf1yhnC-hu_NOsET-qZVXixg1EdaOZnUgh6BiqNycB7cd30YSU4-jYEa5PoijhvaIcwYIbS38ML5sYWUHACIH6KTg2tELsJNR51T3atTSlbHBrzAXZrEOWVMWF4DU0Ej8gSEsnQnouN6g0k7EilT4SA9Psa7mz09jgqYRDifU5g7qDPFMZlM24Qc4akp0jQalObJxvd7H-LNbSRCBnHZliafjcm_z86Q28IEnRmt4byUNVRL3wK-yuH0P_MzmseVHr82tBe3mbyD1MBNEu62QbzM3GIhYQd_EFNeOmp8QxCDkyXtzXmMpnljl2UNO8JeUDxaXOw7qelEN90ZQ"', '"Ae0Cub3oMRdMLpgb0EB5ulwNeWIawmOvJAK3Tm5jBTHf1v4ZgRG-gV9D2g"');

-- anonymous, with a cart and messages
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES (X'5ba41bdc97820fa9546e31791f24e744', 1799999100, 5, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', NULL, '"AbwMv_rwbpW5Zulof1QtAdmVSeLaXu9XUOTwnqX5vEC4broB9wMay-ysaMK-FRtjYuDJyxwVsH1Hcn2mcv2XkNPyfrXvJv0zT501QvT4"', '"Ae3Mu1bEpBqsBI5Fpo8XvaRX18NS7pr0T-GKciIb8SFALq6sNn7WRLP6WlrcldEsRYsgV2Gofh3wx3ygF9DPa2aqAeSa4fR-3xuaq1IvCu8v7Kl-vigZQj23XcPnKEaeBELZFdDkxR6T57ZcDg4LxRABYPQEOPc"');

-- anonymous, with every kind of data
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES (X'6e4d5571b9000afbe1c226f1f747c2ed', 1799999100, 1, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', NULL, '"AWuyR0gCya7Fo_ftm4JhHoqWdj8US3Tdk-Za3RtMQTBe8632pPZ3Y6lQImpOGrvFYx_XvZA4Qehn7Qt05pZXhByAyU1oIashWeyATLdSw25pJcqWHOsP2IeoVayGkjLYLfx0FcRbAuz8QCIv-uAip6vK8-nLS9hPhDi4rpc9gp_DqXWTaPEYzovRsQwmIrLe_RwDQ6DUEQHg6s1edTN_6BIW9OHvBhFEweHfazhlajNOYlr3eh9FJ2Wov3XlBuT3_ApEQMxYVkHkt0aH1nCt9Ji-CAjGupzn9nUuq4Zba0B9oeWEsknPj9d6a8Dp9sa0p0KCJm84xajxvixKXPp6y474MPcoIab2Ny1TefFicyRbwhFtFy0IaJJN4WPump0QtipK4kh-xAl1I7VQiX8x5GHzKEFAoUWiJytvN970s9zbTPuweL0_q-AkrlYa1Z-rtSZz81Y2Defavc7CQVxKyQfz69yGgYyG5BR6ZR_V46iJ_K_zHiFGEXaxmtPon2Moj8awGiUTE-KiyJmadqhjatJdrEWr5PwkL1Yzq-VwFmSEwEV_05pYaPohDxaAk6XgISXNnpraVzb-Oiwt-M0a-_pzL0VQyjZDa-6TukqK1dtQeN2RohLJp732na2FfTwsthmWNGwNWjPa96PjESiqjWTkwotm8iTiBtQEc1aUAr9L1Sn_05NoDmyVra5GhkOV4UEz9IwSf-KizCy1keYUb20L4jeG8nWmEZinQUhuvm6_fzICSUDVzWeCuX1gI0cmGNUB6VhSeiAU3ndOHxf5MTodRzTbQMIuwPl_1NZbjv61zIgTmAOjmvB7Pjc9a4DP5LJlmJufCLcnVwO0ddwC2lTzapgt__Kb608tYD8FVTW_xdbvcdPnke3pQtizCvHgV36WXBqBKf7W3fQa1rbuXj9HAvL0z3KCAe5EZlM1noZ_oH3gE9X40fgQDKgN65iaLrdj3jUo4qANaq-z_SNJQPcWWyTLLPlxAKPLhooz3A01Tk9tPMnnGt1ndfK5z0QZGzw2QZ8THS4uHdph1NZLlmFy5L_MbLiOgZEhkk773905LSjvo3yqn-nbNXggudIiJQHEbCTO_D0P8mYFxrKEfI0ZEXNp1LOv1mSekCw6y5mCCtOlyGSwOlUzex4DojezxPSskjIFs6sPLdgPmnayYz5j5vPqGIFmSqoh7DRz-NHA55n4Q9zllHzAI8yRcP9j442W8sYp1wNbZdt6QmAW9iNHdMntVXuUFqXINtiGL5VXJw60LwTdoMWn3HBp-HrfnMIkc75EbcvZqQxmcJUXrKljuNhKPukBczRSRTunOWbzI3iBOLkZxoJKVsGKJfc7oA6KSf1rK7YSaJm-jKbff2HhZDT9H-9rZ-O1fGPHqu8v972FjURafBX4_-aSYSuwqRfqgPKQTGrmffP1q6dT29nkP_bHxNG1JI5Gwf44VDOsoQmlKxzJXImA7yi0Lo83UDzXGKsT6sgaSa-GvOutyrrsfMFLKJkjpXnhgYjkzGLtslI9s-Qke8JiTRJ0OtPle8ANKMXt"', '"Adu06yTzFkaU4z0EeEQ71UVA7EfJTGrAG88TI5pwLPR7USjoJlc_2N0hDA"');

-- logged in, before there were timeouts
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES (X'8f940a5a236053d5d3a5c825f5599fe0', 1799999160, 2, 1, 1799999160, 14, NULL, 1799999160, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', 1, '"AYfHME6UrJorl9n8f2rqF1efDKQi4DQNuInNdB4mpOYidS4MYYan-IhTDcqD8o25qURvWiQWY_wE"', '"Ab4ssL84NzErzZ4-0vJcYO7aO2nQgCJQvvEeAc2d5VpOdzh2ljeGVKl_Zg"');

-- limited, one of two
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES (X'453d73f2b723f2c73d4a807187c7ebbf', 1799999460, 2, 1, 1799999460, 7, NULL, 1799999460, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', 1, '"AT-0ieeshwhRbcrB7SdNKBkg1ZYAOQFCaVY0WtKB8rk1jGsfhk01SjlJkmgZloibcVt1qnuyzKc"', '"AQcfQJCUBs4IkWHBOhwNs-hsmWv8OhgmJ5cTp38713Xy0yrGrFlLwBJpEA"');

-- limited, the other
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES (X'4931e33a1b98445a7d8f87baa0be6e37', 1799999520, 2, 1, 1799999520, 7, NULL, 1799999520, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', 2, '"ASx4et1kprjtjAcgmAusfOM2IWJy_ttzCnplCJAlio5DzqubByPLCWb-Kz_poz92bkotGrOe0qs"', '"ARebBf0_oQ2ePmpP6isdqFPgNy-Fk0Mo8n7UVd0iNAKW4Y7oD52AHpoxwg"');

-- logged in a moment ago
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES (X'32f449bf46a462ddd0eb7faebba1abf2', 1799999990, 2, 1, 1799999990, 2, NULL, 1799999990, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', 1, '"AeB7fBnq88MTqVQu15yxlbvncIq8rU2X80thXyvn38g7IjWD204QFtFoNtRVCIuWQ8KXWgN1oHoKSFeVLpd2e3rEBwrDy285aQoP3FEV"', '"AZcc8iE_J0Rlz9rwxGwv7euY5lfvNX2muU8ITmtwieOKxRfONkjJfiTdAg"');

-- remembered
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES (X'dad74fded4554907d178b711c2be7790', 1799568000, 1800777600, 65537, 1, 9003326358478338583, 1799568000, 0, NULL);

-- expired, unused
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES (X'cac0f61e396b6ece9f8c023c31d3ae6c', 1799997600, 1799999400, 65536, 2980630848321938079, NULL, 1799997610, 0, NULL);

-- anonymous, under the older keys
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES (X'b2a6064528b30e94c7299bdbf1ed3bc8', 1799998500, 1800000300, 0, 0, NULL, 1799998500, 0, NULL);

-- logged in, under the older keys
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES (X'efa3ecc9e923262db05dd47a0addbb14', 1799998500, 1800000300, 65536, 2194864455182004897, NULL, 1799998510, 0, NULL);

-- logged in, under older settings
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES (X'2def6b17521fd66b2fb6577dac5f51f6', 1799998560, 1800000360, 65536, 4360745045547053418, NULL, 1799998570, 0, NULL);

-- anonymous, under older settings
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES (X'd30ac8753336ba09cc4afae7d639bc63', 1799998560, 1800000360, 0, 0, NULL, 1799998560, 0, NULL);

-- expired, old
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES (X'805a767e313fe10ec7621fa9d4b9cb47', 1799998710, 1799999880, 65553, 1, 1, 1799997510, 1, 1799998710);

-- the cookie from before a login
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES (X'9786794c61a347e29aa17b4d64ede915', 1799998860, 1800000660, 0, 0, NULL, 1799998800, 0, NULL);

-- anonymous, before an open form
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES (X'26e80d4edd1adf69a41e9450aedcf47f', 1799999100, 1800000900, 0, 0, NULL, 1799999100, 0, NULL);

-- logged in, before an open form
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES (X'524bd0ab7ba6e07f264da81bdf64988b', 1799999100, 1800000900, 65536, 6091334209915651298, NULL, 1799999110, 0, NULL);

-- anonymous, with a cart and messages
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES (X'5ba41bdc97820fa9546e31791f24e744', 1799999100, 1800000900, 0, 0, NULL, 1799999100, 0, NULL);

-- anonymous, with every kind of data
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES (X'6e4d5571b9000afbe1c226f1f747c2ed', 1799999100, 1800000900, 0, 0, NULL, 1799999100, 0, NULL);

-- limited, one of two
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES (X'453d73f2b723f2c73d4a807187c7ebbf', 1799999460, 1800001260, 65536, 7449442869337630666, NULL, 1799999470, 0, NULL);

-- limited, the other
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES (X'4931e33a1b98445a7d8f87baa0be6e37', 1799999520, 1800001320, 65536, 9197226551131394703, NULL, 1799999530, 0, NULL);

-- logged in again
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES (X'2fa67e9e4bfbeab079d4356e3b503068', 1799999700, 1800001500, 131073, 8465801711854902287, NULL, 1799999705, 0, NULL);

-- in renewal, the cookie before; in renewal, the candidate
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES (X'3f184760baf10e753655d912f4ba4410', 1799999970, 1800001770, 65536, 950969120653489762, NULL, 1799999110, 1, 1799999970);

-- renewed, the cookie before; renewed, the cookie since
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES (X'0301f0f65dc1126ae20973e2fe8cf559', 1799999980, 1800001780, 65537, 1, 2458013640191560134, 1799999980, 0, NULL);

-- logged in a moment ago
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES (X'32f449bf46a462ddd0eb7faebba1abf2', 1799999990, 1800001790, 0, 0, NULL, 1799999990, 0, NULL);

-- staff, logged in again, before an open form
INSERT INTO staff_session (id, created, version, epoch, rotated_at, userid, data, flash)
    VALUES (X'28d9af9fd7875707e6796840184cc4af', 1799827200, 4, 1, 1799913600, 'jürgen', '{"":{"":[[],{},""]}," t":[1],"$bytes":"AAEC","__type__":"x","_csrft_":"fGcrYeHSYmvnEcrr_k2G6d4KA3qvdpWEFzkXCeuvF8U","booleans":[true,false],"deep":{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":"the bottom"}]}]}]}]}]}]}]}]}]}]}]}]}]}]},"floats":[0.1,-2.5,1e-07,123456789.125,9000000000000000.0],"integers":[0,-1,9007199254740993,-9223372036854775808,18446744073709551615],"null":null,"schlüssel ''mit\" allem\\":{"A":5,"B":2,"a":3,"aa":4,"日本":1},"tagged":[{"__type__":"datetime","value":"2027-01-15"},{"$type":"date","$value":"2027-01-15"},{"$bytes":"AAEC"},{"$date":1800000000},{"__class__":"Decimal","__value__":"1.0"},{"py/object":"datetime.datetime"},{"@":"x"},{" t":[1,2]},{" d":"2027-01-15"},{"":"x"},{"t":"uuid","v":"x"},[" t",[1,2]],["__type__","tuple",[1,2]],["$bytes","AAEC"],["!!python/tuple",1],["~",1],"datetime:2027-01-15T00:00:00","$bytes:AAEC","__type__"],"text":["","it''s \"quoted\" \\ back\\nslash","line\nbreak\ttab\r\u0001","%s %(name)s :name {0}; --"],"unicode":["Grüße","日本語","🜁👩‍👩‍👧","é é","￿ 􏿿"]}', '{}');

-- staff, anonymous
INSERT INTO staff_session (id, created, version, epoch, rotated_at, userid, data, flash)
    VALUES (X'aa92ac869efbf7fa2030463bf19400ec', 1799827200, 1, 0, NULL, NULL, '{"cart":["apples","pears"],"since":1}', '{}');

-- staff, logged in
INSERT INTO staff_session (id, created, version, epoch, rotated_at, userid, data, flash)
    VALUES (X'f27fc18e08c51771f040caf339272963', 1799827200, 2, 1, 1799827200, 'anna', '{"of":"anna"}', '{}');

-- visit, with every kind of data
INSERT INTO visit (id, created, version, epoch, rotated_at, data, flash)
    VALUES (X'0e39382532281772ac7998244fba6f32', 1799740800, 1, 0, NULL, '{"":{"":[[],{},""]}," t":[1],"$bytes":"AAEC","__type__":"x","booleans":[true,false],"deep":{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":[{"deeper":"the bottom"}]}]}]}]}]}]}]}]}]}]}]}]}]}]},"floats":[0.1,-2.5,1e-07,123456789.125,9000000000000000.0],"integers":[0,-1,9007199254740993,-9223372036854775808,18446744073709551615],"null":null,"schlüssel ''mit\" allem\\":{"A":5,"B":2,"a":3,"aa":4,"日本":1},"tagged":[{"__type__":"datetime","value":"2027-01-15"},{"$type":"date","$value":"2027-01-15"},{"$bytes":"AAEC"},{"$date":1800000000},{"__class__":"Decimal","__value__":"1.0"},{"py/object":"datetime.datetime"},{"@":"x"},{" t":[1,2]},{" d":"2027-01-15"},{"":"x"},{"t":"uuid","v":"x"},[" t",[1,2]],["__type__","tuple",[1,2]],["$bytes","AAEC"],["!!python/tuple",1],["~",1],"datetime:2027-01-15T00:00:00","$bytes:AAEC","__type__"],"text":["","it''s \"quoted\" \\ back\\nslash","line\nbreak\ttab\r\u0001","%s %(name)s :name {0}; --"],"unicode":["Grüße","日本語","🜁👩‍👩‍👧","é é","￿ 􏿿"]}', '{}');

-- visit, before an open form
INSERT INTO visit (id, created, version, epoch, rotated_at, data, flash)
    VALUES (X'c4ed7f766ae9747cfd797a89852f307f', 1799740800, 3, 0, NULL, '{"_csrft_":"zjEHR4bwupxYSgINg5hI-U6C4v9PpaBBsffYmuxIyqc","cart":["apples","pears"],"since":1}', '{"errors":["No pears"]}');

