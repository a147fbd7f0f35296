#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# API server, controllers and scheduler in one process, without nodes: what they do to objects.

load lib

setup_file()
{
	API_COMMAND=control-plane api_start --volume-dir "$BATS_FILE_TMPDIR/volumes"
}

teardown_file()
{
	api_stop
}

node()
{
	kubectl apply -f - <<-END
	apiVersion: v1
	kind: Node
	metadata: {name: $1, labels: {kubernetes.io/hostname: $1}}
	status:
	  capacity: {cpu: "2", memory: 4Gi, pods: "10"}
	  allocatable: {cpu: "2", memory: 4Gi, pods: "10"}
	  conditions: [{type: Ready, status: "True", lastHeartbeatTime: "$(date -u +%FT%TZ)"}]
	END
}

@test "every namespace gets its account and the cluster's CA" {
	kubectl create ns shop
	wait_for 10 kubectl get sa default -n shop
	wait_for 10 kubectl get cm kube-root-ca.crt -n shop
}

@test "a deployment makes pods, scales, rolls and goes with all it owns" {
	wait_for 10 kubectl get sa default
	kubectl create deployment web --image=example/web:1 --replicas=3
	wait_for 10 sh_true 'test "$('"$COX_BUILD"'/tools/kubectl get pods -l app=web -o name | wc -l)" = 3'
	kubectl scale deployment web --replicas=1
	wait_for 10 sh_true 'test "$('"$COX_BUILD"'/tools/kubectl get pods -l app=web -o name | wc -l)" = 1'
	kubectl set image deployment/web web=example/web:2
	wait_for 10 sh_true 'test "$('"$COX_BUILD"'/tools/kubectl get rs -l app=web -o name | wc -l)" = 2'
	[[ "$(kubectl rollout history deployment/web)" == *2* ]]
	kubectl delete deployment web
	wait_for 10 sh_true 'test -z "$('"$COX_BUILD"'/tools/kubectl get rs,pods -l app=web -o name)"'
}

# Before there is a node: a bound pod would wait for its kubelet.
@test "a namespace goes with everything in it" {
	kubectl create ns doomed
	wait_for 10 kubectl get sa default -n doomed
	kubectl create configmap x -n doomed
	kubectl create deployment d --image=example/d -n doomed
	kubectl delete ns doomed --timeout=20s
	run kubectl get ns doomed
	[[ $output == *"not found"* ]]
}

@test "a pod without a node says why; when one comes it is bound there" {
	kubectl run lonely --image=example/x
	wait_for 10 sh_true "$COX_BUILD/tools/kubectl get events | grep 'FailedScheduling.*no nodes available to schedule pods'"
	node n1
	wait_for 20 sh_true 'test "$('"$COX_BUILD"'/tools/kubectl get pod lonely -o jsonpath="{.spec.nodeName}")" = n1'
	[[ "$(kubectl get node n1 -o jsonpath='{.spec.podCIDR}')" == 10.244.*/24 ]]
}
