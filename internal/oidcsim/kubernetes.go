package oidcsim

import "time"

// podLife is what a kubelet asks for where a pod does not say how long.
const podLife = time.Hour

// PodClaims are what a cluster says of a pod in the token that it projects into it.
func (i *Issuer) PodClaims(namespace, serviceAccount, audience string) Claims {
	now := i.opts.Clock()
	return Claims{
		"iss": i.url, "aud": []string{audience}, "sub": "system:serviceaccount:" + namespace + ":" + serviceAccount, "jti": i.nextJTI(),
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(podLife).Unix(),
		"kubernetes.io": map[string]any{
			"namespace":      namespace,
			"serviceaccount": map[string]any{"name": serviceAccount, "uid": "8f6b7a1e-1c52-4e5b-9a52-2f0f6a0a3c11"},
			"pod":            map[string]any{"name": serviceAccount + "-0", "uid": "0d9f2b44-5f0e-4bb8-8a3f-6a3f9f1d2e22"},
			"node":           map[string]any{"name": "node-1", "uid": "5b1f6c58-7f5a-4c0b-9c39-8e8b0d3f4a33"},
		},
	}
}
