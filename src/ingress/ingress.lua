-- SPDX-License-Identifier: Apache-2.0
-- The constant script inside nginx: picks endpoints and certificates from one shared dictionary, and takes updates of it
-- over the control socket. What it serves is data; nothing that users write is ever code here.
--
-- Dictionary: "e:NS/SERVICE/PORT" -> "10.0.0.1:80 [fd00::1]:80"   ("": none)
--             "c:HOST" -> "BASE64(chain) BASE64(key)"              (c:_ for names that nobody has)
--             "seq" -> the last update applied; absent: nothing was ever applied
--             "w:PID" -> generation of the configuration with which this worker accepts connections
-- One entry is one service or host and is exchanged as a whole, so readers never see half of it.
local balancer = require "ngx.balancer"
local ffi = require "ffi"
local process = require "ngx.process"
local ssl = require "ngx.ssl"

ffi.cdef "int kill(int pid, int sig);"

local _M = {}
local dict = ngx.shared.cox
local PROTOCOL = "cox-ingress 1"
-- A peer that failed is asked last for so long. Without it a lost node costs every n-th request a connect timeout.
local PENALTY_S = 3
local TRIES = 3

local generation -- fingerprint of the configuration that this worker runs with

-- Caches of this worker, valid as long as the text they were made from stands in the dictionary.
local peer_lists, certificates, origin_lists = {}, {}, {}

local function find_peers(key)
	local text = dict:get(key)
	if not text or text == "" then
		return nil
	end
	local list = peer_lists[key]
	if list and list.text == text then
		return list
	end
	list = { text = text }
	for address, port in text:gmatch("(%S+):(%d+)") do
		list[#list + 1] = { address = address, port = tonumber(port), bad_until = 0 }
	end
	-- Workers must not walk in step.
	list.at = math.random(#list)
	peer_lists[key] = list
	return list
end

local function pick_peer(list)
	local now = ngx.now()
	local at = list.at
	for _ = 1, #list do
		at = at % #list + 1
		if list[at].bad_until <= now then
			break
		end
	end
	list.at = at
	return list[at]
end

function _M.balance()
	local ctx = ngx.ctx
	local list = ctx.peers
	if ctx.peer then
		ctx.peer.bad_until = ngx.now() + PENALTY_S
		-- Meanwhile the list may have changed.
		list = find_peers(ngx.var.cox_backend) or list
	else
		balancer.set_more_tries(TRIES - 1)
	end
	local peer = pick_peer(list)
	ctx.peer = peer
	local ok, err = balancer.set_current_peer(peer.address, peer.port)
	if not ok then
		ngx.log(ngx.ERR, "cannot use endpoint ", peer.address, ":", peer.port, ": ", err)
		return ngx.exit(ngx.ERROR)
	end
end

-- "https://a.example http://*.b.example:8080", lower case -> { exact = { origin = true }, any = { { "http://", ".b.example:8080" } } }
local function find_origins(text)
	local list = origin_lists[text]
	if not list then
		list = { exact = {}, any = {} }
		for origin in text:gmatch("%S+") do
			local scheme, rest = origin:match("^(%a+://)%*(%..+)$")
			if scheme then
				list.any[#list.any + 1] = { scheme, rest }
			else
				list.exact[origin] = true
			end
		end
		origin_lists[text] = list
	end
	return list
end

-- What Access-Control-Allow-Origin says, or nil where no CORS header is due.
local function allowed_origin(text, origin)
	if text == "*" then
		return "*"
	end
	if not origin then
		return nil
	end
	local list, lower = find_origins(text), origin:lower()
	if list.exact[lower] then
		return origin
	end
	for _, any in ipairs(list.any) do
		local scheme, rest = any[1], any[2]
		local label = lower:sub(#scheme + 1, -#rest - 1)
		if lower:sub(1, #scheme) == scheme and lower:sub(-#rest) == rest and label:find("^[%w.-]+$") then
			return origin
		end
	end
	return nil
end

function _M.rewrite()
	local var, ctx = ngx.var, ngx.ctx
	local cors = var.cox_cors
	if cors ~= "" then
		ctx.cors = allowed_origin(cors, var.http_origin)
		if ctx.cors and var.request_method == "OPTIONS" then
			ctx.preflight = true
			return ngx.exit(204)
		end
	end
	local port = var.cox_redirect
	if port ~= "" and var.scheme == "http" then
		local colon = port ~= "443" and ":" .. port or ""
		return ngx.redirect("https://" .. var.host .. colon .. var.request_uri, 308)
	end
	ctx.peers = find_peers(var.cox_backend)
	if not ctx.peers then
		return ngx.exit(503)
	end
end

function _M.headers()
	local var, ctx, header = ngx.var, ngx.ctx, ngx.header
	if ctx.cors then
		header["Access-Control-Allow-Origin"] = ctx.cors
		if var.cox_cors_credentials ~= "" then
			header["Access-Control-Allow-Credentials"] = "true"
		end
		header["Access-Control-Allow-Methods"] = var.cox_cors_methods
		header["Access-Control-Allow-Headers"] = var.cox_cors_headers
		if var.cox_cors_expose ~= "" then
			header["Access-Control-Expose-Headers"] = var.cox_cors_expose
		end
		header["Access-Control-Max-Age"] = var.cox_cors_max_age
		if ctx.preflight then
			header["Content-Type"] = "text/plain charset=UTF-8"
			header["Content-Length"] = 0
		end
	end
	if var.cox_hsts ~= "" and var.scheme == "https" then
		header["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
	end
end

local function find_certificate(key)
	local text = dict:get(key)
	if not text then
		return nil
	end
	local entry = certificates[key]
	if entry and entry.text == text then
		return entry
	end
	local chain64, key64 = text:match("^(%S+) (%S+)$")
	local chain, err = ssl.parse_pem_cert(ngx.decode_base64(chain64))
	local private_key, key_err = ssl.parse_pem_priv_key(ngx.decode_base64(key64))
	if not chain or not private_key then
		ngx.log(ngx.ERR, "cannot use the certificate of ", key:sub(3), ": ", err or key_err)
		return nil
	end
	entry = { text = text, chain = chain, private_key = private_key }
	certificates[key] = entry
	return entry
end

-- Without an entry nginx goes on with the default certificate of its configuration.
function _M.certificate()
	local name = ssl.server_name()
	local entry
	if name then
		name = name:lower()
		entry = find_certificate("c:" .. name)
		local dot = not entry and name:find(".", 1, true)
		if dot then
			entry = find_certificate("c:*" .. name:sub(dot))
		end
	end
	entry = entry or find_certificate("c:_")
	if not entry then
		return
	end
	local ok, err = ssl.clear_certs()
	if ok then
		ok, err = ssl.set_cert(entry.chain)
	end
	if ok then
		ok, err = ssl.set_priv_key(entry.private_key)
	end
	if not ok then
		ngx.log(ngx.ERR, "cannot use the certificate of ", name or "the default host", ": ", err)
		return ngx.exit(ngx.ERROR)
	end
end

local function parse_endpoints(rest)
	local key, list = rest:match("^([%w.-]+/[%w.-]+/[%w.-]+)(.*)$")
	if not key then
		return nil
	end
	local out = {}
	for item in list:gmatch(" (%S+)") do
		if not item:find("^%d+%.%d+%.%d+%.%d+:%d+$") and not item:find("^%[[%x:.]+%]:%d+$") then
			return nil
		end
		out[#out + 1] = item
	end
	local text = table.concat(out, " ")
	if list ~= (text == "" and "" or " " .. text) then
		return nil
	end
	return "e:" .. key, text
end

local function parse_certificate(rest)
	local host, list = rest:match("^([%w.*_-]+)(.*)$")
	if not host then
		return nil
	elseif list == "" then
		return "c:" .. host, false
	elseif not list:find("^ [%w+/]+=* [%w+/]+=*$") then
		return nil
	end
	return "c:" .. host, list:sub(2)
end

local parsers = { e = parse_endpoints, c = parse_certificate }

-- The whole update or nothing: returns base, seq, entries; or nil, what is wrong.
local function parse_update(body)
	local first = body:match("^([^\n]*)\n")
	local base, seq = (first or ""):match("^" .. PROTOCOL:gsub("%-", "%%-") .. " ([%w-]+) ([%w-]+)$")
	if not base then
		return nil, "line 1 is not '" .. PROTOCOL .. " BASE SEQ'"
	end
	local entries, at, number = {}, #first + 2, 1
	while true do
		local eol = body:find("\n", at, true)
		number = number + 1
		if not eol then
			return nil, "no 'end' after line " .. number - 1
		end
		local line = body:sub(at, eol - 1)
		at = eol + 1
		if line == "end" then
			break
		end
		local parse = line:sub(2, 2) == " " and parsers[line:sub(1, 1)]
		local key, value = nil, nil
		if parse then
			key, value = parse(line:sub(3))
		end
		if not key then
			return nil, "line " .. number .. " is not understood"
		end
		entries[#entries + 1] = { key, value }
	end
	if at <= #body then
		return nil, "something follows 'end'"
	end
	return base, seq, entries
end

local function forget_others(entries)
	local keep = {}
	for _, entry in ipairs(entries) do
		keep[entry[1]] = true
	end
	for _, key in ipairs(dict:get_keys(0)) do
		if not keep[key] and not key:find("^w:") then
			dict:delete(key)
		end
	end
end

-- Returns an HTTP status and a line.
local function apply(body)
	local base, seq, entries = parse_update(body)
	if not base then
		return 400, seq
	end
	local held = dict:get("seq")
	if base ~= "full" and base ~= held then
		return 409, "held " .. (held or "-")
	end
	if base == "full" then
		forget_others(entries)
	end
	for _, entry in ipairs(entries) do
		local key, value = entry[1], entry[2]
		local ok, err = true, nil
		if value then
			ok, err = dict:safe_set(key, value)
		else
			dict:delete(key)
		end
		if not ok then
			dict:delete("seq")
			return 507, err
		end
	end
	dict:set("seq", seq)
	return 200, "applied " .. seq
end

-- In the master, before any worker: the first contents come from a file that is there only at a start.
function _M.init(path)
	if dict:get("seq") then
		return
	end
	local file = io.open(path, "rb")
	if not file then
		return
	end
	local status, message = apply(file:read("*a"))
	file:close()
	if status ~= 200 then
		ngx.log(ngx.ERR, "cannot take ", path, ": ", message)
	end
end

-- A timer that waits fires early when the worker begins to shut down, after it has closed its listening sockets.
local function watch_shutdown(premature, key)
	if premature then
		dict:delete(key)
		return
	end
	local ok, err = ngx.timer.at(86400, watch_shutdown, key)
	if not ok then
		ngx.log(ngx.ERR, "cannot watch for the shutdown: ", err)
	end
end

function _M.init_worker(of_configuration)
	generation = of_configuration
	math.randomseed(ngx.now() * 1000 + ngx.worker.pid() * 7919)
	local key = "w:" .. ngx.worker.pid()
	dict:set(key, generation)
	watch_shutdown(false, key)
end

-- How many workers of former configurations still accept connections.
local function count_former()
	local n = 0
	for _, key in ipairs(dict:get_keys(0)) do
		local pid = key:match("^w:(%d+)$")
		if pid and ffi.C.kill(tonumber(pid), 0) ~= 0 then
			dict:delete(key)
		elseif pid and dict:get(key) ~= generation then
			n = n + 1
		end
	end
	return n
end

local function answer(status, line)
	ngx.status = status
	ngx.header["Content-Type"] = "text/plain"
	ngx.print(line, "\n")
end

function _M.update()
	ngx.req.read_body()
	local body = ngx.req.get_body_data()
	if not body then
		return answer(400, "no body in memory")
	end
	return answer(apply(body))
end

function _M.status()
	local held = dict:get("seq") or "-"
	return answer(200, table.concat({ PROTOCOL, held, generation, process.get_master_pid(), ngx.worker.pid(), count_former() }, " "))
end

return _M
