#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The API server alone, driven by the pinned kubectl and by curl.

load lib

setup_file()
{
	api_start
}

teardown_file()
{
	api_stop
}

CM=/api/v1/namespaces/default/configmaps

@test "the default objects are there" {
	run kubectl get ns -o name
	[ "${lines[*]}" = "namespace/default namespace/kube-node-lease namespace/kube-public namespace/kube-system" ]
	[ "$(kubectl get clusterroles -o name | wc -l)" -gt 60 ]
	[ "$(kubectl get svc kubernetes -o jsonpath='{.spec.clusterIP}')" = 10.96.0.1 ]
}

@test "health, version and metrics answer" {
	[ "$(kubectl get --raw /readyz)" = ok ]
	[ "$(kubectl get --raw /livez)" = ok ]
	[ "$(kubectl get --raw /healthz)" = ok ]
	[[ "$(kubectl version -o json)" == *v1.36.2+cox* ]]
	[[ "$(kubectl get --raw /metrics)" == *cox_store_syncs_total* ]]
}

@test "create, get, label, annotate, patch three ways, delete" {
	kubectl create configmap one --from-literal=a=1
	[ "$(kubectl get cm one -o jsonpath='{.data.a}')" = 1 ]
	kubectl label cm one tier=x
	[ "$(kubectl get cm -l tier=x -o name)" = configmap/one ]
	[ -z "$(kubectl get cm -l 'tier notin (x),tier' -o name)" ]
	kubectl patch cm one --type=json -p '[{"op":"add","path":"/data/b","value":"2"}]'
	kubectl patch cm one --type=merge -p '{"data":{"a":null}}'
	kubectl patch cm one --type=strategic -p '{"metadata":{"annotations":{"n":"v"}}}'
	[ "$(kubectl get cm one -o jsonpath='{.data}{.metadata.annotations.n}')" = '{"b":"2"}v' ]
	kubectl delete cm one
	run kubectl get cm one
	[[ $output == *'configmaps "one" not found'* ]]
}

@test "a write that changes nothing gets no revision" {
	kubectl create configmap same --from-literal=a=1
	before=$(kubectl get cm same -o jsonpath='{.metadata.resourceVersion}')
	kubectl label cm same x=y
	kubectl label cm same x=y --overwrite
	after=$(kubectl get cm same -o jsonpath='{.metadata.resourceVersion}')
	[ "$after" -eq $((before + 1)) ]
}

@test "an old resourceVersion is a conflict, a second create already exists" {
	kubectl create configmap race --from-literal=a=1
	kubectl get cm race -o json >"$BATS_TEST_TMPDIR/old.json"
	kubectl label cm race x=y
	run raw PUT "$CM/race" -H 'Content-Type: application/json' --data-binary "@$BATS_TEST_TMPDIR/old.json"
	[ "${lines[-1]}" = 409 ]
	[[ $output == *'the object has been modified'*'"reason":"Conflict"'* ]]
	run kubectl create configmap race
	[[ $output == *'configmaps "race" already exists'* ]]
}

@test "finalizers keep an object until the last one is gone" {
	kubectl create configmap kept
	kubectl patch cm kept --type=merge -p '{"metadata":{"finalizers":["example.com/wait"]}}'
	kubectl delete cm kept --wait=false
	[ -n "$(kubectl get cm kept -o jsonpath='{.metadata.deletionTimestamp}')" ]
	run kubectl patch cm kept --type=merge -p '{"metadata":{"finalizers":["example.com/wait","example.com/more"]}}'
	[ "$status" -ne 0 ]
	kubectl patch cm kept --type=merge -p '{"metadata":{"finalizers":null}}'
	run kubectl get cm kept
	[[ $output == *"not found"* ]]
}

@test "lists come in pages over one snapshot" {
	for i in 1 2 3 4 5; do kubectl create configmap "page$i"; done
	run raw GET "$CM?limit=2"
	[[ $output == *'"continue":"'*'"remainingItemCount":'* ]]
	token=$(sed -n 's/.*"continue":"\([^"]*\)".*/\1/p' <<<"$output")
	kubectl delete cm page3
	run raw GET "$CM?limit=500&continue=$token"
	[[ $output == *page3* ]]
	run raw GET "$CM?limit=2&continue=garbage"
	[ "${lines[-1]}" = 400 ]
}

@test "a watch tells what happens, and resumes across a restart of the server" {
	version=$(kubectl get --raw "$CM?limit=1" | sed -n 's/^{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"\([0-9]*\)".*/\1/p')
	kubectl create configmap seen --from-literal=a=1
	kubectl delete cm seen
	api_stop
	api_start
	run raw GET "$CM?watch=1&resourceVersion=$version&timeoutSeconds=1"
	[[ ${lines[0]} == '{"type":"ADDED"'*'"name":"seen"'* ]]
	[[ ${lines[1]} == '{"type":"DELETED"'*'"name":"seen"'* ]]
}

@test "namespaces end with what is in them refused" {
	kubectl create ns leaving
	kubectl delete ns leaving --wait=false
	[ "$(kubectl get ns leaving -o jsonpath='{.status.phase}')" = Terminating ]
	run kubectl create configmap late -n leaving
	[[ $output == *"because it is being terminated"* ]]
	run kubectl create configmap nowhere -n missing
	[[ $output == *'namespaces "missing" not found'* ]]
	run kubectl delete ns default
	[[ $output == *"may not be deleted"* ]]
}

@test "services get addresses and node ports, each once" {
	kubectl create service nodeport np --tcp=80:8080 --node-port=30080
	[[ "$(kubectl get svc np -o jsonpath='{.spec.clusterIP}')" == 10.* ]]
	run kubectl create service nodeport other --tcp=80:8080 --node-port=30080
	[[ $output == *"spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated"* ]]
	run kubectl create service nodeport wild --tcp=80:8080 --node-port=80
	[[ $output == *"The range of valid ports is 30000-32767"* ]]
	kubectl delete svc np
	kubectl create service nodeport other --tcp=80:8080 --node-port=30080
}

@test "scale, status and binding subresources" {
	kubectl create sa default
	kubectl create deployment web --image=example/web --replicas=2
	kubectl scale deployment web --replicas=7
	[ "$(kubectl get deployment web -o jsonpath='{.spec.replicas}{.metadata.generation}')" = 72 ]
	kubectl patch deployment web --subresource=status --type=merge -p '{"status":{"replicas":3}}'
	[ "$(kubectl get deployment web -o jsonpath='{.status.replicas}{.metadata.generation}')" = 32 ]
	kubectl run pod1 --image=example/web
	run raw POST /api/v1/namespaces/default/pods/pod1/binding -H 'Content-Type: application/json' \
		-d '{"apiVersion":"v1","kind":"Binding","metadata":{"name":"pod1"},"target":{"kind":"Node","name":"n1"}}'
	[ "${lines[-1]}" = 201 ]
	[ "$(kubectl get pod pod1 -o jsonpath='{.spec.nodeName}')" = n1 ]
	[ "$(kubectl get pods --field-selector spec.nodeName=n1 -o name)" = pod/pod1 ]
	kubectl delete pod pod1 --wait=false
	[ -n "$(kubectl get pod pod1 -o jsonpath='{.metadata.deletionTimestamp}')" ]
	kubectl delete pod pod1 --force --grace-period=0
	run kubectl get pod pod1
	[[ $output == *"not found"* ]]
}

@test "tokens of service accounts get in, are bound by RBAC, and die with the account" {
	kubectl create sa robot
	kubectl create role reader --verb=get,list --resource=configmaps
	kubectl create rolebinding robot-reads --role=reader --serviceaccount=default:robot
	token=$(kubectl create token robot)
	run anonymous -H "Authorization: Bearer $token" "$(api_url)$CM"
	[ "${lines[-1]}" = 200 ]
	run anonymous -H "Authorization: Bearer $token" "$(api_url)/api/v1/namespaces/default/secrets"
	[ "${lines[-1]}" = 403 ]
	[[ $output == *'User \"system:serviceaccount:default:robot\" cannot list resource \"secrets\"'* ]]
	kubectl delete sa robot
	run anonymous -H "Authorization: Bearer $token" "$(api_url)$CM"
	[ "${lines[-1]}" = 401 ]
	run anonymous -H "Authorization: Bearer x$token" "$(api_url)$CM"
	[ "${lines[-1]}" = 401 ]
}

@test "anonymous requests see the version and nothing else" {
	run anonymous "$(api_url)/version"
	[ "${lines[-1]}" = 200 ]
	run anonymous "$(api_url)/api/v1/secrets"
	[ "${lines[-1]}" = 403 ]
}

@test "a finalized namespace goes" {
	kubectl create ns goes
	kubectl delete ns goes --wait=false
	run raw PUT /api/v1/namespaces/goes/finalize -H 'Content-Type: application/json' \
		-d '{"kind":"Namespace","apiVersion":"v1","metadata":{"name":"goes"},"spec":{"finalizers":[]}}'
	[ "${lines[-1]}" = 200 ]
	run kubectl get ns goes
	[[ $output == *"not found"* ]]
}

@test "impersonation is refused, not ignored" {
	run kubectl get pods --as=somebody
	[[ $output == *"impersonation is not supported yet"* ]]
}

@test "reviews say who may do what" {
	[ "$(kubectl auth can-i delete nodes)" = yes ]
	[[ "$(kubectl auth whoami)" == *kubernetes-admin* ]]
	run kubectl create --validate=false -o yaml -f - <<-END
	apiVersion: authorization.k8s.io/v1
	kind: SubjectAccessReview
	spec: {user: nobody, resourceAttributes: {verb: get, resource: pods, namespace: default}}
	END
	[[ $output == *"allowed: false"* ]]
}

@test "bad bodies get the right refusal" {
	json='Content-Type: application/json'
	run raw POST "$CM" -H "$json" -d '{"kind":"ConfigMap"'
	[ "${lines[-1]}" = 400 ]
	run raw POST "$CM" -H "$json" -d '{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"x"},"data":{"a":1}}'
	[ "${lines[-1]}" = 400 ]
	[[ $output == *"cannot unmarshal number into Go struct field ConfigMap.data of type string"* ]]
	run raw POST "$CM?fieldValidation=Strict" -H "$json" -d '{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"x"},"dta":{}}'
	[ "${lines[-1]}" = 400 ]
	[[ $output == *'strict decoding error: unknown field \"dta\"'* ]]
	run raw POST "$CM" -i -H "$json" -d '{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"warned"},"dta":{}}'
	[ "${lines[-1]}" = 201 ]
	[[ $output == *'299 - "unknown field \"dta\""'* ]]
	run raw POST "$CM" -H "$json" -d '{"kind":"Secret","apiVersion":"v1","metadata":{"name":"x"}}'
	[ "${lines[-1]}" = 400 ]
	run raw POST "$CM" -H "$json" -d '{"kind":"ConfigMap","apiVersion":"v1","metadata":{}}'
	[ "${lines[-1]}" = 422 ]
	[[ $output == *"name or generateName is required"* ]]
	run raw POST "$CM" -H "$json" -d '{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"'"$(printf 'a%.0s' {1..300})"'"}}'
	[ "${lines[-1]}" = 422 ]
	run raw POST "$CM" -H 'Content-Type: text/plain' -d 'x'
	[ "${lines[-1]}" = 415 ]
	run raw PATCH "$CM/warned" -H 'Content-Type: application/unknown' -d '{}'
	[ "${lines[-1]}" = 415 ]
	run raw DELETE "$CM/warned?gracePeriodSeconds=x"
	[ "${lines[-1]}" = 400 ]
	run raw GET "/api/v1/nosuchthings"
	[ "${lines[-1]}" = 404 ]
	run raw PUT "$CM" -H "$json" -d '{}'
	[ "${lines[-1]}" = 405 ]
}

@test "a body above the limit is refused" {
	head -c 4000000 /dev/zero | tr '\0' a >"$BATS_TEST_TMPDIR/big"
	run raw POST "$CM" -H 'Content-Type: application/json' --data-binary "@$BATS_TEST_TMPDIR/big"
	[ "${lines[-1]}" = 413 ]
}

@test "a port where an object is wanted gets an error that says what to write" {
	run kubectl create --validate=false -f - <<-END
	apiVersion: networking.k8s.io/v1
	kind: Ingress
	metadata: {name: wrong}
	spec: {rules: [{http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: 3000}}}]}}]}
	END
	[ "$status" -ne 0 ]
	[[ $output == *'{"number": 3000}'* ]]
}

@test "deletecollection takes what the selector lets through" {
	kubectl create configmap gone1 && kubectl label cm gone1 sweep=yes
	kubectl create configmap stays1
	kubectl delete cm -l sweep=yes
	run kubectl get cm gone1 stays1 -o name --ignore-not-found
	[ "$output" = configmap/stays1 ]
}

@test "dry run changes nothing" {
	kubectl create configmap dry --dry-run=server
	run kubectl get cm dry
	[[ $output == *"not found"* ]]
}

@test "everything is still there after kill -9" {
	kubectl create configmap durable --from-literal=a=b
	kill -9 "$(cat "$BATS_FILE_TMPDIR/pid")"
	api_start
	[ "$(kubectl get cm durable -o jsonpath='{.data.a}')" = b ]
}
