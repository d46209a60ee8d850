/** What the metrics page shows of the gateway as it stands now. Only where numbers come from. */
import type { AcmeCare } from '../acme/care.ts'
import { openCompressors } from '../coding/compressors.ts'
import { tunnelCount } from '../exchange/tunnels.ts'
import type { CertificateCare } from '../listen/certificate-care.ts'
import type { ListenerSet } from '../listen/listener-set.ts'
import type { GatewayMetrics } from '../observe/metrics.ts'

/** `linesDropped` is what the logs lost up to now. */
export function addGatewayGauges(
  metrics: GatewayMetrics,
  listeners: ListenerSet,
  certificates: CertificateCare,
  acme: AcmeCare,
  linesDropped: () => number,
): void {
  metrics.gauge('websockets_open', 'WebSockets open now.', tunnelCount)
  metrics.gauge('compressors_open', 'Answers that are being compressed now.', openCompressors)
  metrics.gauge('connections_open', 'Connections open now, all listeners.', () => listeners.connectionCount)
  metrics.gauges(
    'certificate_expiry_timestamp_seconds',
    'End of served certificates, Unix time; of many, those that end first.',
    ['listener', 'certificate', 'file'],
    () => certificates.ends,
  )
  metrics.gauges(
    'acme_renewal_timestamp_seconds',
    'When a certificate is ordered next, Unix time; 0 is now.',
    ['certificate'],
    () => acme.renewals,
  )
  metrics.gauge('log_lines_dropped', 'Lines that the logs lost: full disks, closed pipes.', linesDropped)
}
