package githubsim

import "net/http"

// webRoutes are the endpoints of the web origin: pages, OAuth, git and Git LFS.
func (s *Server) webRoutes() []route {
	const get, post, put = http.MethodGet, http.MethodPost, http.MethodPut
	return []route{
		{post, "/login/device/code", s.deviceCode},
		{post, "/login/oauth/access_token", s.accessToken},

		{get, "/assets/style.css", s.style},
		{get, "/", s.forPerson(s.homePage)},
		{get, "/login", s.signInPage},
		{post, "/session", s.signIn},
		{post, "/logout", s.forPerson(s.signOut)},
		{get, "/login/device", s.forPerson(s.devicePage)},
		{post, "/login/device", s.forPerson(s.enterCode)},
		{get, "/login/device/confirmation", s.forPerson(s.confirmPage)},
		{post, "/login/device/confirmation", s.forPerson(s.confirm)},
		{get, "/login/oauth/authorize", s.forPerson(s.authorizePage)},
		{post, "/login/oauth/authorize", s.forPerson(s.authorize)},

		{get, "/apps/{slug}", s.forPerson(s.appPage)},
		{get, "/apps/{slug}/installations/new", s.forPerson(s.chooseAccount)},
		{get, "/apps/{slug}/installations/new/permissions", s.forPerson(s.chooseRepositories)},
		{post, "/apps/{slug}/installations/new/permissions", s.forPerson(s.install)},
		{post, "/apps/{slug}/installations/new/request", s.forPerson(s.requestInstallation)},
		{get, "/orgs/{org}/sso", s.forPerson(s.signOnPage)},
		{post, "/orgs/{org}/sso", s.forPerson(s.signOn)},
		{get, "/settings/installations", s.forPerson(s.installationsPage)},
		{get, "/settings/installations/{id}", s.forPerson(s.installationPage)},
		{post, "/settings/installations/{id}", s.forPerson(s.changeInstallation)},
		{get, "/organizations/{org}/settings/installations/{id}", s.forPerson(s.installationPage)},
		{post, "/organizations/{org}/settings/installations/{id}", s.forPerson(s.changeInstallation)},
		{get, "/settings/apps/authorizations", s.forPerson(s.grantsPage)},
		{post, "/settings/apps/authorizations", s.forPerson(s.dropGrant)},
		{get, "/settings/apps/new", s.forPerson(s.manifestPage)},
		{post, "/settings/apps/new", s.postManifest},
		{post, "/organizations/{org}/settings/apps/new", s.postManifest},
		{post, "/settings/apps/new/confirmation", s.forPerson(s.confirmManifest)},

		{get, "/{owner}/{repo}", s.forPerson(s.repoPage)},
		{get, "/{owner}/{repo}/info/refs", s.gitHTTP},
		{post, "/{owner}/{repo}/git-upload-pack", s.gitHTTP},
		{post, "/{owner}/{repo}/git-receive-pack", s.gitHTTP},

		{post, "/{owner}/{repo}/info/lfs/objects/batch", s.lfsBatch},
		{post, "/{owner}/{repo}/info/lfs/locks/verify", s.lfsVerifyLocks},
		{put, "/lfs-storage/upload/{oid}", s.lfsUpload},
		{post, "/lfs-storage/verify/{oid}", s.lfsVerify},
		{get, "/lfs-storage/download/{oid}", s.lfsDownload},
	}
}

// graphQLRoute is the GraphQL endpoint, which a GitHub Enterprise Server has beside
// its REST API and api.github.com has within.
func (s *Server) graphQLRoute() route {
	return route{http.MethodPost, "/graphql", s.api(anyone, s.graphQL)}
}

// apiRoutes are the REST endpoints.
func (s *Server) apiRoutes() []route {
	const get, post, del = http.MethodGet, http.MethodPost, http.MethodDelete
	return []route{
		{get, "/rate_limit", s.api(anyone, s.rateLimit)},
		{get, "/user", s.api(users, s.getUser)},
		{get, "/user/installations", s.api(users, s.userInstallations)},
		{get, "/user/installations/{id}/repositories", s.api(users, s.userInstallationRepos)},
		{get, "/users/{login}", s.api(anyone, s.getUserByLogin)},

		{get, "/repos/{owner}/{repo}", s.api(anyone, s.getRepo)},
		{get, "/repos/{owner}/{repo}/contents/*", s.api(anyone, s.getContents)},
		{get, "/repos/{owner}/{repo}/rules/branches/*", s.api(anyone, s.branchRules)},
		{get, "/repos/{owner}/{repo}/pulls", s.api(anyone, s.listPulls)},
		{post, "/repos/{owner}/{repo}/pulls", s.api(anyone, s.createPull)},
		{get, "/repos/{owner}/{repo}/commits/*", s.api(anyone, s.getCommit)},
		{post, "/repos/{owner}/{repo}/git/refs", s.api(anyone, s.createRef)},
		{get, "/repos/{owner}/{repo}/installation", s.api(appsOnly, s.repoInstallation)},

		{get, "/apps/{slug}", s.api(anyone, s.getAppBySlug)},
		{get, "/app", s.api(appsOnly, s.getApp)},
		{get, "/app/installation-requests", s.api(appsOnly, s.installationRequests)},
		{get, "/app/installations", s.api(appsOnly, s.appInstallations)},
		{get, "/app/installations/{id}", s.api(appsOnly, s.appInstallation)},
		{post, "/app/installations/{id}/access_tokens", s.api(appsOnly, s.mint)},
		{get, "/users/{login}/installation", s.api(appsOnly, s.accountInstallation)},
		{get, "/orgs/{login}/installation", s.api(appsOnly, s.accountInstallation)},
		{get, "/installation/repositories", s.api(installations, s.installationRepos)},
		{del, "/installation/token", s.api(installations, s.deleteInstallationToken)},
		{post, "/app-manifests/{code}/conversions", s.api(anyone, s.convertManifest)},

		{post, "/credentials/revoke", s.revokeCredentials},
		{post, "/applications/{client_id}/token", s.application(s.checkToken)},
		{del, "/applications/{client_id}/token", s.application(s.deleteToken)},
		{post, "/applications/{client_id}/token/scoped", s.application(s.scopeToken)},
		{del, "/applications/{client_id}/grant", s.application(s.deleteGrant)},
	}
}
