/** What the gateway writes in DER is read back by others: OpenSSL, and a library that it does not use itself. */
import 'reflect-metadata'
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto'
import {
  AuthorityKeyIdentifierExtension,
  Pkcs10CertificateRequest,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from '@peculiar/x509'
import t from 'tap'
import { acmeIdentifier, serverExtensions } from '../../src/pki/extensions.ts'
import { makeOwnCertificate } from '../../src/pki/own-certificate.ts'
import { renewalId } from '../../src/pki/renewal-id.ts'
import { makeSigningRequest, requestPem } from '../../src/pki/signing-request.ts'
import { makeCertificate } from '../kit/certificates.ts'

t.test('a signing request names all names and is signed by its key', async (t) => {
  const names = ['a.example.com', 'b.example.com', '192.0.2.7', '2001:db8::7', `${'x'.repeat(60)}.example.com`]
  const { der, key } = makeSigningRequest(names)
  const request = new Pkcs10CertificateRequest(requestPem(der))
  t.equal(await request.verify(), true)
  t.equal(request.subject, '')
  const found = request.extensions.find((each) => each instanceof SubjectAlternativeNameExtension)!
  t.same(
    found.names.toJSON().map(({ value }) => value),
    names,
  )
  const own = createPublicKey(createPrivateKey(key)).export({ type: 'spki', format: 'der' })
  t.ok(Buffer.from(request.publicKey.rawData).equals(own))
})

t.test('a certificate of our own', async (t) => {
  const digest = Buffer.alloc(32, 7)
  const { certificate, key } = makeOwnCertificate({
    organisation: 'x',
    commonName: 'y'.repeat(80),
    days: 3,
    extensions: [...serverExtensions(['a.example.com', '::1']), acmeIdentifier(digest)],
  })
  t.ok(certificate.checkPrivateKey(createPrivateKey(key)))
  t.equal(certificate.subjectAltName, 'DNS:a.example.com, IP Address:0:0:0:0:0:0:0:1')
  // RFC 8737, 3: critical, OCTET STRING in OCTET STRING.
  t.ok(certificate.raw.includes(Buffer.concat([Buffer.from('06082b0601050507011f0101ff04220420', 'hex'), digest])))
})

t.test('the id by which a renewal time is asked for', async (t) => {
  // RFC 9773, 4.1: keyIdentifier 69:88:5b:6b:87:46:40:41:e1:b3:7b:84:7b:a0:ae:2c:de:01:c8:d4, serial 00:87:65:43:21.
  const issuer = await makeCertificate({ authority: true, names: [] })
  const made = await X509CertificateGenerator.create({
    serialNumber: '0087654321',
    subject: 'CN=x',
    issuer: issuer.subject,
    notBefore: new Date(),
    notAfter: new Date(Date.now() + 1e9),
    publicKey: issuer.keys.publicKey as CryptoKey,
    signingKey: issuer.keys.privateKey as CryptoKey,
    signingAlgorithm: issuer.algorithm as object as { name: string },
    extensions: [new AuthorityKeyIdentifierExtension('69885b6b87464041e1b37b847ba0ae2cde01c8d4')],
  })
  t.equal(renewalId(new X509Certificate(made.toString('pem'))), 'aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE')
  t.equal(renewalId(new X509Certificate((await makeCertificate()).cert)), null, 'none where no issuer is named')
})
