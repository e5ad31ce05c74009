-- The tables of 0.2.0 (ee98c00), with what it has stored. Made by make_witness.py.

CREATE TABLE session (
	id UUID NOT NULL,
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
	data JSONB NOT NULL,
	flash JSONB NOT NULL,
	PRIMARY KEY (id)
);

CREATE INDEX ix_session_userid ON session (userid);

CREATE UNIQUE INDEX uq_session_session_slot ON session (userid, session_slot);

CREATE TABLE session_activity (
	id UUID NOT NULL,
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
	id UUID NOT NULL,
	created BIGINT NOT NULL,
	version INTEGER NOT NULL,
	epoch INTEGER NOT NULL,
	rotated_at BIGINT,
	data JSONB NOT NULL,
	flash JSONB NOT NULL,
	PRIMARY KEY (id)
);

CREATE TABLE staff_session (
	id UUID NOT NULL,
	created BIGINT NOT NULL,
	version INTEGER NOT NULL,
	epoch INTEGER NOT NULL,
	rotated_at BIGINT,
	userid VARCHAR(50),
	data JSONB NOT NULL,
	flash JSONB NOT NULL,
	PRIMARY KEY (id)
);

CREATE INDEX ix_staff_session_userid ON staff_session (userid);

-- remembered
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES ('52d490f3-2fad-4199-a625-0531651570ea', 1799481600, 2, 1, 1799481600, 4, NULL, 1799481600, 1209600, 3600, 2592000, 21600, 2592000, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', 1, '"AUcFVva4E94pU2_dlcM4PYgm9zmdx8HmpYLAPs9F8zwvXSdO-omS70mH-qzSXljT84gM8Fx5txQ"', '"AacoAXjLJlbLd0r_BI3c0UZaAqvRdZbhWbJ2IGEazGAPxC5_lgCTzmpSsg"');

-- expired, old
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES ('ac36d2ff-1121-c13b-fae9-9e6e25f79950', 1799956680, 2, 1, 1799956680, 9, NULL, 1799956680, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', 1, '"ARZQSzwBT4skXnoZbDNEGfM15tCIIJ9GNafpf8hiR38TczCroIhQ2cR0pZu3Z6Us0fxhKDbkb8M"', '"AUTRDtXTraN2YxH1lQJT51znZi0NZU9iWlStCVYKo-s-WNlKKCfvmJMTlg"');

-- expired, unused
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES ('9fb74f82-d5ed-77e1-183f-ad97528028b7', 1799997600, 2, 1, 1799997600, 8, NULL, 1799997600, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', 1, '"AZl12mSeTrkK5z6GmtYNP-ZitG8AzztA9sZZnoy5bgOwohaBwW9iU43M6iBERD3AmscaO--sJy4"', '"AZccLleY-WhPFOahEeCh4oTitcz4wt6nk295hTU_MghyRmdznxLQXnOW_g"');

-- logged in again
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES ('a79ac5ba-df34-6727-696d-81c73431eb19', 1799997600, 4, 2, 1799999700, 3, NULL, 1799999700, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', 1, '"Ad8wn-1izqFXqofKXSM3zcoh8u0UCs2cU3JwOjjnoxby7zpolfU2hdZGHcQo0m44bidQFpfjx0JuBDDajyD4PMJ9qc5su45NMXFerQ3-4UjgQJy6w8-CF32El-0"', '"ASKnPqREN5O571PaaljpEORo7WzqtOVyEDe78W8bj7UBmv2Sjbabbpkm2w"');

-- anonymous, under the older keys
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES ('5e9307ee-ec3c-12e9-e5de-0e72ebb965a2', 1799998500, 1, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', NULL, '"AaPvThmLismA-NavPFKpyOppf9LXpGkUdBt_h27IqPlzU1qzARiv9nKHN7VS5zhSrejtm9JH405dte2FgcdbHYz4uXuLegqCqCaOUyEL"', '"AZz3ZN9xgYIk8r1Z5thTvNvi61PoBu-eTFSZZrYsK-efyedde-e73Tj1fw"');

-- logged in, under the older keys
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES ('950a8236-4cc0-9c34-e289-65ed3d40e069', 1799998500, 2, 1, 1799998500, 11, NULL, 1799998500, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', 1, '"AVKe-eJMrHILW5RaicX4hd5dyZL69F_9BoYNYPtY8FSWgB1b0_KmW-g12gQUIUy41PxCXFtIBrgB"', '"AVL5xW-qao4Ro9TCRV6sI0OttXOqy_-hzfHxbahGylRBK_swvm79ZDUDkw"');

-- anonymous, under older settings
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES ('4b5e2cb4-b30d-91aa-5124-12ae76bb8023', 1799998560, 1, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', NULL, '"Aat0Dun06Ns3D8MJtY6SaIioUdKQ93yPjXYvF5VoBmyks4vaQYlQAG8kNtkQepDQidjdWkc4FG5ljlljgPnIpib6tt0pACMN5JqgQVOF"', '"AbhCwMplVCOXhgR4KwkG-lm_nvrpj-PIlgHKJTIGgUGD0pjhZ9TY1t3wUQ"');

-- logged in, under older settings
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES ('80fda03b-4425-15b3-56b8-d7a413772fff', 1799998560, 2, 1, 1799998560, 12, NULL, 1799998560, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', NULL, '"AWhAZaaDH7yFGTdxtFF4_A-E9sghcn5f0fWF6YE8j-pxjQXwy5JgTlEp5AvLoZfs2XEOyVBGgRud"', '"AaLKaYjnhicqEoGoxSPK02917-a15MSgTlflUGEWTl6WSH6QK8EB8h7PUQ"');

-- the cookie from before a login
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES ('f64b040b-4f99-8f84-a36f-79d8197fb835', 1799998800, 2, 1, 1799998860, 13, NULL, 1799998860, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', 1, '"AeXHFn37EwbTYIW3u_4-7C96fVzhcjboLsD629LyJYucWTVGSgNLCrrUUNrZ0AgOzff95UiovmfFyZ0VYbxJ4Tsy-6ZEIHqFmRgMBXAk"', '"AcsuDNwxvSj3FQ26lOJJ2_nBR_4sAFmWX3yU2fJP1tnXStugKU0dQF0L3g"');

-- renewed, the cookie before; renewed, the cookie since
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES ('3b3e5b6c-4eb0-4395-3d71-97dd10c8ccaf', 1799999100, 2, 1, 1799999100, 6, NULL, 1799999100, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', 1, '"AcZfvBmPM7AmwAZEyAamBCgmeuY1wvCCZ80gABdl7f5KsMHxqEUmhciOGnveRLN4wV8sz1_UWUA"', '"AcmOeTYrX5VckK-oel5Jnl3SJJ_z9F6WROe9GQjGht5NYIrD5ghn6S1N0Q"');

-- anonymous, with every kind of data
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES ('489df4cb-f4b9-c15d-271f-deec1983ec28', 1799999100, 1, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', NULL, '"AXLPDlUP_Hi_S8V9Sa2V1leCuW9iVLgJi3Y-NqH9ITYkge0ad9Xk0wH7b6zVHreT0i0kJm6xs5DKo81bWUKIpvlCqhahqEaVKvJtaexQDzMf3djj7UFcR4_1D3Dzb8pOusWarJaq7O4BJAN5CYDZlWRNFSoiNZ73Ezhw298dNNBHTvJM9yU16NcelSGOXD41RlL7zMWbK9tISkk93zGOvsTI8EoLD9Q9p49NXRKysZ7heJb6ii-cgGFfNdIYa9BedZ8rIkQj_sqSdkTiCYj_VWgijQtf6yQXDxt3RWqwRemGhhiHZ3ljo7BtuuH09ait8pptDJJXVFrtLEjDu7vNDMnvtV9cCd_KUdtWAwGdCAF1DuCW_4oHeh9KRyuYaEDrj4HGAsQ_ze9DOBnduVnKrD5ATsiiQOBKDXtGjMJN2BSta8fN3N5_7bGUEPtF7ydx-x82qhRmeeLsJUhKJsTaV5_dXUtOjGagpNPExS4CpDXG91JC6_NNzZz-ZzBQuCWVUjBsyovmVjf2CfwgLVXIqYXez3cPjPRMu4Q5bFww0ZMHoFUVYTBaSIyzaNI5Y_pcsYv0nbd_r5rp08Ytj7VanYmq9Qwn82yOII9dy6K0PSA2FsabzqB52RP4Iu7NFylA5B3Wq56ZszgVtVL_6v4AXv8kCLVS2UM70tBYR8S4D-sIwucXYFcMgaBgGpd0-gWms0fBRzaWMHW_dyC_rF9Y7ZZF0901MQWCBY1AIMlCksO0eWfWcEeD7pC7su7R_HI_SiLDb7gJsD7B_7WgVMZGSTvztBCG5CDwBb6kQC1dxbg38BvUf_nPZ-F9lwaCAHaTnq1YtVhloyHLMvxtjJJrXxI-O0_8fX-BF2J4iOPyP4hZ1Dd8Fs73Mr0Kgxy84Yvkh93tFf4U86hnu-cmi5qt4fde-TmsElJ9Vzh21deYKjVqNoMIr9MpT6QQGLCqOP8BrZuOFxpbN_qHXcXwKLjAP9a7-loHecjbIx5P63id_RC87Y1NTncRKojrmQIPaa2dVbIQ92uE8zP4DeWnPOjuH5Hy0b4i2BNa9ZiOJPUSnL15tsTnBN9_PM1fWHr_z4D3YLsaGTTiV_5J09qE6dwQbcwRzXBmClEI2yKC4guPFnCOq6RxZu9WMcHI-_wv-RC3OsTNhjkoorDYsP2Gyerdak4YA_l7UxVfU5MCx7hb4JmQvciZ4k2eKVTqEKAX7RKslWBJRWcf-CPgVun5gSWpSU79BjRvBOtNcrjE73P8NXmz_Rwhq0XrIUprTf0abyRRdgWl5gk6yqHkY4YxBJcbujlN-DCkg5-zTmO3i3LHtSMVmAyGGf_yTWTU5xHKM49f5zV2D2CXfTOnxdYiwNwu7Qxm8uL0Yx-CDU70VPPECfOM23wx_-Pmo6uDGCEWmdbgjHK1nT8gyPpbIlyaVPVjlDAAB2qpc_S3jlZec-BF6DEWv3nzUcNNkIjIXXo4ISGyopdoWvJ4uonhe-11Wc2oAMHErJw6uicWxp2O_etRzE1Y2mZgzPQY2m2xGU2NGB8qm9XO5cdz"', '"AY4--Iuk1VGOYH1p0VtdEfiEs5ZE5mnXwBWvi441cLN4L-4jCZIJfOzbeA"');

-- anonymous, before an open form
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES ('5db5f070-1ef3-56f9-230e-a0ec9b1c9f48', 1799999100, 1, 0, NULL, NULL, 'eOoGYG6IL43pFY6a4EfYt0nup473ytfzWxhCob9voDg', NULL, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', NULL, '"AQHT50NQ06_0sQz0Hla6wipFn7F_fIQZcVmuXvVG5plyoFRx5oxRikDZ3g"', '"ATpvYkLwb7adO1YiSf_CPOL9nbMQPBhEzG1e2vPYSP1DKL_QL0qszNbBnw"');

-- in renewal, the cookie before; in renewal, the candidate
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES ('915ea6c9-6183-8fa5-d72b-7361fb01f60a', 1799999100, 2, 1, 1799999100, 5, NULL, 1799999100, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', 1, '"ASyQz47sSb6uWF_cilo-7NOe5tx9Z-9-9PwQEtjy1b_95cvpFPGkSXMLubBasXdJDi4rAHrAxXs"', '"AVrm2MMcBHxmQpIQbCk6H23S9lxfmlcClyOOjqS5wp6aGnQPNTtXlSo4Eg"');

-- anonymous, with a cart and messages
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES ('f2bb7537-6859-f133-c04c-343d8970031c', 1799999100, 5, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', NULL, '"ARShs1QJwPzv378aFAnFkI-Anv6Ff22Oh_cluI3JDTtvVG3gY_0G5Gi1we8holcXa7XoIuUUgglQ79sAAPCMQy97KVj8LpQCsOsnOrQ-"', '"AalP9xdPgWl8LfoFQkCoXOZD_P1_8ZgeYibwVGO5tl38UdTh5MHGPunb3WjdsuHPI599ojO_OKPYQSMf4lrmREuJxA0Rk4JSb3TS7P79krLh16BkhEdgrTxCxe4xAW6YtxcTm-KPfEHNOD_2Iy9HVAsaYsGRLfU"');

-- logged in, before an open form
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES ('fe0d3418-61e3-8363-c68d-e1c8a3e0f2b3', 1799999100, 4, 1, 1799999100, 1, 'V3oKzHZQMQ_Iy8mNS0pTDRi8OWxqSJM7WQ6Plr0Etos', 1799999100, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', 1, '"AU1xjqbzS1Sn5RbDo72U-l8PLARlWIetzIqJfIgDuMCTaGPEmBmNqWuD6khm5gZjk-9PtrqVbvICD5Nf6-6DuVZviYPHHZEGinvVS_pFOwQYiaan1Zzwrw7zGLNcFaWlc97Emr1nNmfxa9Zx70rpfgmaeBZNXlbzzf3jYaJsuE2jr8niotlVT-maUPAbUdyVrC79PEyPxDEq4H4gyT0eBMG2Z8raviNlMx53tjXAmcJtPQ9sZ3wbQqgemhowWNmbJFgkx2iPoyjJvwJJs9Iit6vHFlo006YxpGttHUKZdiQYXivo6bNWH_UnKdb0PBY0lcId3fJi5XGWJBAHesfThxH6Qw1WT5qGHKE-CXriaTlApD6ZSWHPN8Ol7qTSZ6rGDyj9F7qfHoCpEmtecuR_qaeJO39r26z0_-80U8eS-gFIgztQ-bKJfF6wSSYHO09F1LAcO6bzw1ZGyW2glX19alvocBcMOlCvDpBvk6LteSSpNScPfTaWRgDygUvA8f3LO4jCkEG5gZ6C3aB18Rvev80WPlbzcbWTfh5uaa3YomD1nROGnzaxzUas_tAhVrwLCpWvGwyrki-HuC5jS93Vo4Ud2R-E9Bl-E0sfP2jUDTFvgu549XsqIpwaqSeEfwGB36m-gwY5HKEQebUvvlmNEJ8OKKYkrzL_1WGk9M4qe3KW6AXmCwdY4yTDaRRw6uuDFKcid-o6NaK53JKPBghBVR5b4eudGtf9WmRo_m9qAKOfPI_f2PoPaa98IryC1SJ2HPoVodCFvakR2n6aUCOaSjsQmeN4w7jnmgRSJWeIwSaY0CZK880dr0q6tKKI3aQekMseEJAklQc9VIkksGVngWS0qVyPjzEVoeXhDUqY0nxkHPIRO44qiFmTEVkUdBRiiq9baK2AknrsWlOMPKC5n3J1AHHj0JNQ9KspLIlxlpvIpcZzcVefBDOeZDNZYAtvbzvwgZte8CJ_wCz7X2JdhUwP2Ds-sxpu3Yg_n8ixxekmS9F9qyuCiaSwCPdB1JU7mIKsVKL2-ShiWX4cFqNHDt4EXy45s3vu_F-3F4oUjQbvCChELsEyuR8ADZ5kzH_HCL5aUaT5C8vB47YnSr6it9lr_NfIo-qVsXba_HjLyPZk_nm4Jfz9g99uGBaJsFSYCqLJCoqJd4Ic7LDgenJEBf21J_6CgIbW3uxD-dWz44KlF5CL3sy_s9dY1xVctyhR-RaOWpW349e3YQMOkO00rAsZxaBiyvvbrj1C9x2qmxXNbe8Q3tnYbS5lfaKHmGSf9XbI7hGRfbkM0h7Em1S0Mp_vwhD1H5E9rE7K1LL2RoN38gXEZW0NkLABVz8meVWthavDo4CdH4G2dhVrAAzQUWwQCoKwt9Y0Ln9fn76mGLSDA98F3xDe0KEg8MUx37-dRmr3pPknrb28ITKuKAWtamdvowgF5jmrH1KVZlwKng4vFFQ5hZp1gEvOWV0c7XK0gOCBP0bZDSRp_OGPozan_DT0U03kpVr8-uFKpXeRuM9PXUOci0wkiLiLiAauCS8OcBo1D9LAe9c4iaLtyTu0jCsH-OQ"', '"AVnvpJgkDpB8G5MdBpeEQWNJhhLcGPVdXVbcFItuCY4zjs5rwF2Q_eIicQ"');

-- logged in, before there were timeouts
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES ('4a853b6d-02f4-9fb2-eb21-0a5d112ab6ec', 1799999160, 2, 1, 1799999160, 14, NULL, 1799999160, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', 1, '"AQK3SOhf61m8vX7BQK6ikYve6LLDJc1VXg-tOImKzcYcMNPmobbqjYwnOsLm4jB5mqL2fdGnDKDh"', '"AbGsAcXqnKT2pFOywIKczUDdFBYi0BrmqyvYUUO7zGqOViyRIupKGVSUHA"');

-- limited, one of two
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES ('dbcd012a-5670-5349-f782-c21510c43aa3', 1799999460, 2, 1, 1799999460, 7, NULL, 1799999460, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', 1, '"AVITU2OZl-ooAxNoPgAXdRdLWnogpuXgsuWMP0bfwc1KJY_cCbVoebX3gwqjKYybxqIe6q98ImI"', '"Aec460JlEAVIt6o6A_2J_c9uJaj8--UE85uI371VIfW_zbDVapr-b5-zeQ"');

-- limited, the other
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES ('2bcc85fb-48a0-daad-39d1-974686c6f03c', 1799999520, 2, 1, 1799999520, 7, NULL, 1799999520, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', 2, '"AWfibbhGDFZdgTVV1oHS1L1iq86v43MaX2eop-RHuHlXGWOcKx3R-whXl84b5XaIUaSAWT3Bbso"', '"AeOdFRmE3DnLFeYFCjmxHgznziADNTFfGqvGrA04xp2ZvWvGRnnRLn4WBg"');

-- logged in a moment ago
INSERT INTO session (id, created, version, epoch, rotated_at, userid, csrf_token, authenticated_at, idle_timeout, extension_delay, absolute_timeout, renewal_timeout, cookie_max_age, user_agent, client_address, session_slot, data, flash)
    VALUES ('6939d920-4663-cca7-b041-57bce0ec4e99', 1799999990, 2, 1, 1799999990, 2, NULL, 1799999990, NULL, NULL, NULL, NULL, NULL, 'Mozilla/5.0 (a browser of the witness)', '127.0.0.0', 1, '"Aeljuygww197-nKwGwHzikwXIRa-oHlkcgT89nqTMlyeLENo8jfFA1A2wKTMQLhxlaxBZ56ddyglHbrJH6xx7g8SQn87Dm9KbWcDLqDk"', '"AYaijoZnuyX6tNyGHij8tBWbGtO3PxGRGkbJEJqnzgKGzNiztNTi0o0JqQ"');

-- remembered
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES ('52d490f3-2fad-4199-a625-0531651570ea', 1799568000, 1800777600, 65537, 1, 399048575237892906, 1799568000, 0, NULL);

-- expired, unused
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES ('9fb74f82-d5ed-77e1-183f-ad97528028b7', 1799997600, 1799999400, 65536, 163646174506056211, NULL, 1799997610, 0, NULL);

-- anonymous, under the older keys
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES ('5e9307ee-ec3c-12e9-e5de-0e72ebb965a2', 1799998500, 1800000300, 0, 0, NULL, 1799998500, 0, NULL);

-- logged in, under the older keys
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES ('950a8236-4cc0-9c34-e289-65ed3d40e069', 1799998500, 1800000300, 65536, 5024835482754576217, NULL, 1799998510, 0, NULL);

-- anonymous, under older settings
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES ('4b5e2cb4-b30d-91aa-5124-12ae76bb8023', 1799998560, 1800000360, 0, 0, NULL, 1799998560, 0, NULL);

-- logged in, under older settings
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES ('80fda03b-4425-15b3-56b8-d7a413772fff', 1799998560, 1800000360, 65536, 2691096382838729374, NULL, 1799998570, 0, NULL);

-- expired, old
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES ('ac36d2ff-1121-c13b-fae9-9e6e25f79950', 1799998710, 1799999880, 65553, 1, 1, 1799997510, 1, 1799998710);

-- the cookie from before a login
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES ('f64b040b-4f99-8f84-a36f-79d8197fb835', 1799998860, 1800000660, 0, 0, NULL, 1799998800, 0, NULL);

-- anonymous, with every kind of data
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES ('489df4cb-f4b9-c15d-271f-deec1983ec28', 1799999100, 1800000900, 0, 0, NULL, 1799999100, 0, NULL);

-- anonymous, before an open form
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES ('5db5f070-1ef3-56f9-230e-a0ec9b1c9f48', 1799999100, 1800000900, 0, 0, NULL, 1799999100, 0, NULL);

-- anonymous, with a cart and messages
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES ('f2bb7537-6859-f133-c04c-343d8970031c', 1799999100, 1800000900, 0, 0, NULL, 1799999100, 0, NULL);

-- logged in, before an open form
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES ('fe0d3418-61e3-8363-c68d-e1c8a3e0f2b3', 1799999100, 1800000900, 65536, 8148386965869859007, NULL, 1799999110, 0, NULL);

-- limited, one of two
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES ('dbcd012a-5670-5349-f782-c21510c43aa3', 1799999460, 1800001260, 65536, 5003082022399698375, NULL, 1799999470, 0, NULL);

-- limited, the other
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES ('2bcc85fb-48a0-daad-39d1-974686c6f03c', 1799999520, 1800001320, 65536, 4526196528221878557, NULL, 1799999530, 0, NULL);

-- logged in again
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES ('a79ac5ba-df34-6727-696d-81c73431eb19', 1799999700, 1800001500, 131073, 2719887876940133486, NULL, 1799999705, 0, NULL);

-- in renewal, the cookie before; in renewal, the candidate
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES ('915ea6c9-6183-8fa5-d72b-7361fb01f60a', 1799999970, 1800001770, 65536, 8133646630863919925, NULL, 1799999110, 1, 1799999970);

-- renewed, the cookie before; renewed, the cookie since
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES ('3b3e5b6c-4eb0-4395-3d71-97dd10c8ccaf', 1799999980, 1800001780, 65537, 1, 6822941846225153197, 1799999980, 0, NULL);

-- logged in a moment ago
INSERT INTO session_activity (id, active_at, expires_at, generation, attempt, previous_attempt, renewed_at, tries, tried_at)
    VALUES ('6939d920-4663-cca7-b041-57bce0ec4e99', 1799999990, 1800001790, 0, 0, NULL, 1799999990, 0, NULL);

-- visit, with every kind of data
INSERT INTO visit (id, created, version, epoch, rotated_at, data, flash)
    VALUES ('00d5a7e4-6a27-a10d-97c1-00945a369bf0', 1799740800, 1, 0, NULL, '{"": {"": [[], {}, ""]}, " t": [1], "deep": {"deeper": [{"deeper": [{"deeper": [{"deeper": [{"deeper": [{"deeper": [{"deeper": [{"deeper": [{"deeper": [{"deeper": [{"deeper": [{"deeper": [{"deeper": [{"deeper": [{"deeper": "the bottom"}]}]}]}]}]}]}]}]}]}]}]}]}]}]}, "null": null, "text": ["", "it''s \"quoted\" \\ back\\nslash", "line\nbreak\ttab\r\u0001", "%s %(name)s :name {0}; --"], "$bytes": "AAEC", "floats": [0.1, -2.5, 0.0000001, 123456789.125, 9000000000000000.0], "tagged": [{"value": "2027-01-15", "__type__": "datetime"}, {"$type": "date", "$value": "2027-01-15"}, {"$bytes": "AAEC"}, {"$date": 1800000000}, {"__class__": "Decimal", "__value__": "1.0"}, {"py/object": "datetime.datetime"}, {"@": "x"}, {" t": [1, 2]}, {" d": "2027-01-15"}, {"": "x"}, {"t": "uuid", "v": "x"}, [" t", [1, 2]], ["__type__", "tuple", [1, 2]], ["$bytes", "AAEC"], ["!!python/tuple", 1], ["~", 1], "datetime:2027-01-15T00:00:00", "$bytes:AAEC", "__type__"], "unicode": ["Grüße", "日本語", "🜁👩‍👩‍👧", "é é", "￿ 􏿿"], "__type__": "x", "booleans": [true, false], "integers": [0, -1, 9007199254740993, -9223372036854775808, 18446744073709551615], "schlüssel ''mit\" allem\\": {"A": 5, "B": 2, "a": 3, "aa": 4, "日本": 1}}', '{}');

-- visit, before an open form
INSERT INTO visit (id, created, version, epoch, rotated_at, data, flash)
    VALUES ('cbbf2533-17b7-a146-f2e9-30bd6a4a16ee', 1799740800, 3, 0, NULL, '{"cart": ["apples", "pears"], "since": 1, "_csrft_": "TuQYjPKhXCcM1-HATau-r5wcpLmPxi__0AsG8qGbJVU"}', '{"errors": ["No pears"]}');

-- staff, logged in
INSERT INTO staff_session (id, created, version, epoch, rotated_at, userid, data, flash)
    VALUES ('51157af5-cfc0-7d95-2aa8-131f7ccdfaa9', 1799827200, 2, 1, 1799827200, 'anna', '{"of": "anna"}', '{}');

-- staff, anonymous
INSERT INTO staff_session (id, created, version, epoch, rotated_at, userid, data, flash)
    VALUES ('aa5e263d-81b1-273c-a198-e221e1dd1fe8', 1799827200, 1, 0, NULL, NULL, '{"cart": ["apples", "pears"], "since": 1}', '{}');

-- staff, logged in again, before an open form
INSERT INTO staff_session (id, created, version, epoch, rotated_at, userid, data, flash)
    VALUES ('ee3e0e08-0aba-06af-70d1-425d934c33a2', 1799827200, 4, 1, 1799913600, 'jürgen', '{"": {"": [[], {}, ""]}, " t": [1], "deep": {"deeper": [{"deeper": [{"deeper": [{"deeper": [{"deeper": [{"deeper": [{"deeper": [{"deeper": [{"deeper": [{"deeper": [{"deeper": [{"deeper": [{"deeper": [{"deeper": [{"deeper": "the bottom"}]}]}]}]}]}]}]}]}]}]}]}]}]}]}, "null": null, "text": ["", "it''s \"quoted\" \\ back\\nslash", "line\nbreak\ttab\r\u0001", "%s %(name)s :name {0}; --"], "$bytes": "AAEC", "floats": [0.1, -2.5, 0.0000001, 123456789.125, 9000000000000000.0], "tagged": [{"value": "2027-01-15", "__type__": "datetime"}, {"$type": "date", "$value": "2027-01-15"}, {"$bytes": "AAEC"}, {"$date": 1800000000}, {"__class__": "Decimal", "__value__": "1.0"}, {"py/object": "datetime.datetime"}, {"@": "x"}, {" t": [1, 2]}, {" d": "2027-01-15"}, {"": "x"}, {"t": "uuid", "v": "x"}, [" t", [1, 2]], ["__type__", "tuple", [1, 2]], ["$bytes", "AAEC"], ["!!python/tuple", 1], ["~", 1], "datetime:2027-01-15T00:00:00", "$bytes:AAEC", "__type__"], "_csrft_": "TSy_7KPaf67vyYngSxpQVvRPD8u7KkrtW0JW4lzdkTc", "unicode": ["Grüße", "日本語", "🜁👩‍👩‍👧", "é é", "￿ 􏿿"], "__type__": "x", "booleans": [true, false], "integers": [0, -1, 9007199254740993, -9223372036854775808, 18446744073709551615], "schlüssel ''mit\" allem\\": {"A": 5, "B": 2, "a": 3, "aa": 4, "日本": 1}}', '{}');

